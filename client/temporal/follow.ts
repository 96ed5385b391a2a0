// Polls something on a server: fast while it changes, slower while it doesn't, and through short
// outages.
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { MoverError } from '../../contracts/errors.js';
import type { FollowOptions } from '../workflow-client.js';

/**
 * Shortest interval. A step of a move takes from 20 ms up; people notice nothing shorter than this.
 */
const INTERVAL_MS_MIN = 150;
/**
 * Longest interval. People accept this delay, and a server with a thousand followers is not
 * overloaded.
 */
const INTERVAL_MS_MAX = 2_000;
/** Interval as a share of the quiet time before it, which bounds how late a change is seen. */
const QUIET_SHARE = 1 / 4;
/**
 * Longest outage by default. A server restart takes a few seconds, a failover less than a minute.
 */
const OUTAGE_MS_MAX_DEFAULT = 60_000;

/** Monotonic time and a wait on it. `wait` rejects when the signal is aborted. */
export interface FollowTime {
  nowMs(): number;
  wait(ms: number, signal: AbortSignal | undefined): Promise<void>;
}

const REAL_TIME: FollowTime = {
  nowMs: () => performance.now(),
  wait: async (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
};

/**
 * Yields `first`, then each changed result of `read` until the state is an end.
 * @throws what `read` throws, UNREACHABLE only after `outageMsMax` without an answer; the signal's
 * reason
 */
export async function* follow<T extends { readonly state: string }>(
  first: T,
  read: () => Promise<T>,
  { signal, outageMsMax = OUTAGE_MS_MAX_DEFAULT }: FollowOptions = {},
  time: FollowTime = REAL_TIME,
): AsyncGenerator<T, void> {
  signal?.throwIfAborted();
  yield first;
  let latest = first;
  // Time that the caller spends between two items counts neither as quiet time nor as an outage.
  let changedAtMs = time.nowMs();
  let answeredAtMs = changedAtMs;
  while (latest.state === 'running') {
    await pause(time, intervalMs(time.nowMs() - changedAtMs), signal);
    try {
      const next = await read();
      signal?.throwIfAborted();
      answeredAtMs = time.nowMs();
      if (isDeepStrictEqual(next, latest)) continue;
      latest = next;
    } catch (error) {
      signal?.throwIfAborted();
      if (!isOutage(error) || time.nowMs() - answeredAtMs >= outageMsMax) throw error;
      continue;
    }
    yield latest;
    changedAtMs = time.nowMs();
    answeredAtMs = changedAtMs;
  }
}

function intervalMs(quietMs: number): number {
  return Math.min(INTERVAL_MS_MAX, Math.max(INTERVAL_MS_MIN, quietMs * QUIET_SHARE));
}

async function pause(time: FollowTime, ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await time.wait(ms, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

function isOutage(error: unknown): boolean {
  return error instanceof MoverError && error.code === 'UNREACHABLE';
}
