// What a run of an activity leaves to the next one in its heartbeats, on the real Temporal server.
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import { runVerify } from '../../activities/step-run.js';
import { MoverError } from '../../contracts/errors.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import type { Ports } from '../../control/ports.js';
import type { VerifyHeartbeat, VerifyReport } from '../../contracts/verify.js';
import type { verifyVolume } from '../../workflows/index.js';

const NO_PORTS: Ports = { appliances: new Map(), splitters: new Map() };
const VOLUME = volumeIdSchema.parse('v1');
const HALF_DONE: VerifyHeartbeat = {
  startedAtMs: 1,
  sizeBytes: 1024 * 1024,
  regions: 16,
  nextRegion: 8,
  mismatchedRegions: 0,
  mismatches: [],
  points: [],
  openings: 1,
};
const REPORT: VerifyReport = {
  volume: VOLUME,
  sizeBytes: HALF_DONE.sizeBytes,
  regions: HALF_DONE.regions,
  mismatches: [],
  mismatchedRegions: 0,
  points: [],
  startedAtMs: 1,
  endedAtMs: 2,
  bytesPerSecond: 1,
};

test('a verification resumes from its last heartbeat, also after runs that failed before their first one', async () => {
  const address = inject('temporalAddress');
  const namespace = inject('temporalNamespace');
  const taskQueue = `heartbeats-${randomUUID()}`;
  const connection = await NativeConnection.connect({ address });
  const earlier: unknown[] = [];
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue,
    workflowBundle: { codePath: inject('workflowBundlePath') },
    activities: {
      verify: async () =>
        runVerify(NO_PORTS, async (run) => {
          earlier.push(run.earlier);
          if (earlier.length === 1) run.heartbeat(HALF_DONE);
          if (earlier.length < 4) throw new MoverError('UNREACHABLE', 'No appliance can be reached.');
          return REPORT;
        }),
    },
  });
  const client = new Client({ connection: await Connection.connect({ address }), namespace });
  const report = await worker.runUntil(
    client.workflow.execute<typeof verifyVolume>('verifyVolume', {
      taskQueue,
      workflowId: taskQueue,
      args: [{ volume: VOLUME }],
    }),
  );
  await client.connection.close();
  await connection.close();
  expect(report).toEqual(REPORT);
  expect(earlier).toEqual([undefined, HALF_DONE, HALF_DONE, HALF_DONE]);
});
