// The peer of moves and batches: a workflow of five no-op activities, run by its own worker
// process.
import type { Client } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { EstateProcess } from '../../estate/estate-process.js';
import { entryPoint } from '../../estate/project.js';
import type { Work } from './work.js';
import { NOOP_QUEUE, NOOP_WORKFLOW } from './noop-names.js';

const PEER_ID = 'peer-worker';

/** The peer's worker process, not started yet. @param environment names the Temporal server */
export function peerWorker(folder: string, environment: NodeJS.ProcessEnv): EstateProcess {
  return new EstateProcess(
    {
      id: PEER_ID,
      role: 'peer worker',
      entry: entryPoint('bench/moves/peer-worker'),
      dataFolder: join(folder, PEER_ID),
      logFile: join(folder, `${PEER_ID}.log`),
      environment,
    },
    ({ message }) => console.error(message),
  );
}

/** Runs one workflow of five no-op activities. */
export function noopWork(client: Client): Work {
  return async () => {
    const workflowId = `noop-${randomUUID()}`;
    await client.workflow.start(NOOP_WORKFLOW, { taskQueue: NOOP_QUEUE, workflowId, args: [] });
    await client.workflow.getHandle(workflowId).result();
  };
}
