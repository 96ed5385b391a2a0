// Waiting for a condition: the only way that tests let time pass.
import { setTimeout as delay } from 'node:timers/promises';

/**
 * How long anything may take that a test waits for, ms: far above what it takes beside others on a
 * busy machine, since only a failure waits so long.
 */
export const PATIENCE_MS = 120_000;
/** Time between looks, ms: short beside everything that is waited for. */
const POLL_INTERVAL_MS = 25;
/**
 * Time between looks that cost more than what is waited for, ms: a query of a workflow, a command.
 */
export const COSTLY_POLL_INTERVAL_MS = 150;

/**
 * Looks until `found` answers with something, and returns that.
 * @param what ends the sentence "… did not come about", e.g. "the fence of vm-1"
 * @param everyMs time between looks
 * @throws Error after `timeoutMs`; whatever `found` throws
 */
export async function until<T>(
  what: string,
  timeoutMs: number,
  found: () => Promise<T | undefined>,
  everyMs = POLL_INTERVAL_MS,
): Promise<T> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const result = await found();
    if (result !== undefined) return result;
    if (Date.now() > deadlineMs) throw new Error(`${what} did not come about within ${timeoutMs} ms.`);
    await delay(everyMs);
  }
}

/** Waits as `until` does, for a condition that is true or not. */
export async function untilTrue(
  what: string,
  timeoutMs: number,
  isTrue: () => Promise<boolean>,
  everyMs = POLL_INTERVAL_MS,
): Promise<void> {
  await until(what, timeoutMs, async () => ((await isTrue()) ? true : undefined), everyMs);
}

/** Waits for something that is to happen by itself. @throws Error after `timeoutMs` */
export async function within<T>(what: string, timeoutMs: number, happening: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = delay(timeoutMs, undefined, { signal: over.signal }).then(() => {
    throw new Error(`${what} did not happen within ${timeoutMs} ms.`);
  });
  try {
    return await Promise.race([happening, late]);
  } finally {
    late.catch(() => undefined);
    over.abort();
  }
}
