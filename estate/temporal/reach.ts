// Checks whether a Temporal server answers, each time by a new connection: a failed connection
// waits up to two minutes before it tries again.
import { Connection } from '@temporalio/client';

import type { ConnectionOptions } from '@temporalio/client';

/** Longest wait for an answer, ms: a server on the same continent needs a tenth of it. */
const ANSWER_MS_MAX = 5_000;

/**
 * Connects while `work` runs.
 * @throws Error when the server can't be reached within `timeoutMs`; whatever `work` throws
 */
export async function withTemporalAt<T>(
  options: ConnectionOptions,
  timeoutMs: number,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  // Not `Connection.connect`: after a failure it leaves its connection open.
  const connection = Connection.lazy({ ...options, connectTimeout: timeoutMs });
  try {
    await connection.ensureConnected();
    return await connection.withDeadline(Date.now() + timeoutMs, async () => work(connection));
  } finally {
    await connection.close();
  }
}

/** Why the server can't be reached, in its own or the system's words; undefined when it answers. */
export async function temporalTrouble(options: ConnectionOptions): Promise<string | undefined> {
  try {
    await withTemporalAt(options, ANSWER_MS_MAX, async () => undefined);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
