// Whether a Temporal server answers, by a connection of its own each time: one that failed waits up
// to two minutes before it tries again.
import { Connection } from '@temporalio/client';

import type { ConnectionOptions } from '@temporalio/client';

/** Longest wait for an answer, ms: a server on the same continent answers in a tenth of it. */
const ANSWER_MS_MAX = 5_000;

/**
 * Connects for as long as `work` takes.
 * @throws Error when it can't be reached within `timeoutMs`; whatever `work` throws
 */
export async function withTemporalAt<T>(
  options: ConnectionOptions,
  timeoutMs: number,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  // Not `Connection.connect`: what that opens stays open when it fails.
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
