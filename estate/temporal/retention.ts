// How long the server keeps the histories of finished moves.
import { msToTs } from '@temporalio/common/lib/time.js';

import type { Connection } from '@temporalio/client';

/**
 * Days that a history is kept: long enough to answer "what happened in last month's migration?".
 * The dev server's own default is one day.
 */
export const RETENTION_DAYS = 30;

const DAY_MS = 86_400_000;

/** Sets the namespace's retention to `RETENTION_DAYS`. */
export async function setRetention(connection: Connection, namespace: string): Promise<void> {
  await connection.workflowService.updateNamespace({
    namespace,
    config: { workflowExecutionRetentionTtl: msToTs(RETENTION_DAYS * DAY_MS) },
  });
}
