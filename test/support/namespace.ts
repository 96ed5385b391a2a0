// A Temporal namespace of one's own: estates that share a server must not share a task queue.
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { randomUUID } from 'node:crypto';
import { untilTrue } from './until.js';

/** How long finished workflows are kept, ms: the shortest that the server takes. */
const RETENTION_MS = 86_400_000;
/**
 * The server's parts learn of a new namespace one by one; 10 s is how long they keep what they
 * know.
 */
const KNOWN_MS_MAX = 30_000;

/** Registers a namespace and waits until workflows can be started in it. */
export async function createNamespace(address: string): Promise<string> {
  const namespace = `test-${randomUUID()}`;
  const connection = await Connection.connect({ address });
  try {
    const { workflowService } = connection;
    await workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msToTs(RETENTION_MS),
    });
    await untilTrue(`namespace ${namespace}`, KNOWN_MS_MAX, async () => {
      try {
        await workflowService.listOpenWorkflowExecutions({ namespace, maximumPageSize: 1 });
        return true;
      } catch {
        return false;
      }
    });
    return namespace;
  } finally {
    await connection.close();
  }
}
