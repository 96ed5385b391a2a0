// Reports when an existing Temporal server can't be reached, and when it answers again. Never
// starts or stops it.
import { setTimeout as delay } from 'node:timers/promises';
import type { ExistingServer } from './existing-server.js';
import { temporalTrouble } from './reach.js';

/** Pause between checks, ms: each makes a connection, perhaps around the world. */
const CHECK_EVERY_MS = 10_000;
/** Failed checks in a row before a report: one may be lost. */
const FAILED_CHECKS = 2;

export interface WatchExistingOptions {
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
  readonly checkEveryMs?: number;
}

/**
 * Watches until the signal aborts, then resolves. Reports each change once; a failure of the first
 * check is reported at once.
 */
export async function watchExistingServer(
  { address, connection }: ExistingServer,
  { print, signal, checkEveryMs = CHECK_EVERY_MS }: WatchExistingOptions,
): Promise<void> {
  let isReported = false;
  let failedChecks = FAILED_CHECKS - 1;
  while (!signal.aborted) {
    const trouble = await temporalTrouble(connection);
    if (signal.aborted) return;
    failedChecks = trouble === undefined ? 0 : failedChecks + 1;
    if (trouble === undefined) {
      if (isReported) print(`Temporal at ${address} answers again.`);
      isReported = false;
    } else if (!isReported && failedChecks >= FAILED_CHECKS) {
      print(unreachableText(address, trouble));
      isReported = true;
    }
    await delay(checkEveryMs, undefined, { signal }).catch(() => undefined);
  }
}

function unreachableText(address: string, trouble: string): string {
  return [
    `Temporal at ${address} cannot be reached. This estate did not start that server and does not restart it.`,
    `  Why     ${trouble}`,
    '  Data    Guests keep writing, protected. Moves, batches and schedules wait until it answers; commands that need it fail.',
    '  To do   Start that server, or correct TEMPORAL_ADDRESS or TEMPORAL_PROFILE and start this again.',
  ].join('\n');
}
