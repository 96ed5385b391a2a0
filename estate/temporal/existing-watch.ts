// Says when a Temporal server that somebody else runs can't be reached, and when it answers again.
// It is never started or stopped here.
import { setTimeout as delay } from 'node:timers/promises';
import type { ExistingServer } from './existing-server.js';
import { temporalTrouble } from './reach.js';

/** Between looks, ms: each makes a connection, perhaps around the world. */
const LOOK_EVERY_MS = 10_000;
/** Looks in a row without an answer before it is told: one may be lost. */
const SILENT_LOOKS = 2;

export interface WatchExistingOptions {
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  readonly lookEveryMs?: number;
}

/**
 * Resolves when the signal aborts. Each change is told once; an unreachable server at the first
 * look, at once.
 */
export async function watchExistingServer(
  { address, connection }: ExistingServer,
  { say, signal, lookEveryMs = LOOK_EVERY_MS }: WatchExistingOptions,
): Promise<void> {
  let isTold = false;
  let silentLooks = SILENT_LOOKS - 1;
  while (!signal.aborted) {
    const trouble = await temporalTrouble(connection);
    if (signal.aborted) return;
    silentLooks = trouble === undefined ? 0 : silentLooks + 1;
    if (trouble === undefined) {
      if (isTold) say(`Temporal at ${address} answers again.`);
      isTold = false;
    } else if (!isTold && silentLooks >= SILENT_LOOKS) {
      say(unreachableText(address, trouble));
      isTold = true;
    }
    await delay(lookEveryMs, undefined, { signal }).catch(() => undefined);
  }
}

function unreachableText(address: string, trouble: string): string {
  return [
    `Temporal at ${address} cannot be reached. It is not started here, so it is not started again here either.`,
    `  Why     ${trouble}`,
    '  Data    Guests write on, protected. Moves, batches and schedules stand still and go on when it answers; commands that need it fail.',
    '  To do   Start that server, or correct TEMPORAL_ADDRESS or TEMPORAL_PROFILE and start this again.',
  ].join('\n');
}
