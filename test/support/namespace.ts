// A Temporal namespace of one's own: estates that share a server must not share a task queue.
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { randomUUID } from 'node:crypto';
import { PATIENCE_MS, untilTrue } from './until.js';

/** How long finished workflows are kept, ms: the shortest that the server takes. */
const RETENTION_MS = 86_400_000;

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
    await untilTrue(`namespace ${namespace}`, PATIENCE_MS, async () => {
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
