// The worker's connection to Temporal. An estate starts both at the same time, so the first tries
// may come too early.
import { NativeConnection } from '@temporalio/worker';
import { setTimeout as delay } from 'node:timers/promises';
import type { WorkerLog } from './logging.js';
import type { TemporalTarget } from './temporal-target.js';

/** How long a starting worker waits for Temporal, ms. A database's first start takes a minute. */
const CONNECT_WAIT_MS = 5 * 60_000;
const PAUSE_MS_MIN = 250;
const PAUSE_MS_MAX = 5_000;
/** Longest wait for one answer to a check of Temporal, ms. */
const CHECK_TIMEOUT_MS = 1_000;

/**
 * Tries until Temporal answers.
 * @throws Error naming the address and the last failure; the signal's reason when it aborts.
 */
export async function connectToTemporal(
  { connection }: TemporalTarget,
  log: Pick<WorkerLog, 'warn'>,
  signal: AbortSignal,
): Promise<NativeConnection> {
  const { address } = connection;
  const deadlineMs = performance.now() + CONNECT_WAIT_MS;
  for (let pauseMs = PAUSE_MS_MIN; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
    try {
      return await NativeConnection.connect(connection);
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      if (performance.now() > deadlineMs) {
        throw new Error(
          `Temporal at ${address} did not answer for ${CONNECT_WAIT_MS / 1_000} s; set TEMPORAL_ADDRESS, or start it. The last failure: ${cause}`,
          { cause: error },
        );
      }
      log.warn({ address, cause, nextTryInMs: pauseMs }, `Temporal at ${address} does not answer yet`);
      await delay(pauseMs, undefined, { signal });
    }
  }
}

/** Why Temporal can't be used now, as a sentence; undefined when it can. */
export async function temporalTrouble(
  connection: NativeConnection,
  { connection: { address }, namespace }: TemporalTarget,
): Promise<string | undefined> {
  try {
    await connection.withDeadline(Date.now() + CHECK_TIMEOUT_MS, async () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
    return undefined;
  } catch (error) {
    return `Temporal at ${address} does not answer for namespace "${namespace}": ${error instanceof Error ? error.message : String(error)}`;
  }
}
