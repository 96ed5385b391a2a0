// Waiting for the end of a process, but not for ever.
import { setTimeout as delay } from 'node:timers/promises';

/** Whether `ended` resolves within the time. */
export async function isGoneWithin(ms: number, ended: Promise<unknown>): Promise<boolean> {
  const over = new AbortController();
  const late = delay(ms, false, { signal: over.signal }).catch(() => false);
  const isGone = await Promise.race([ended.then(() => true), late]);
  over.abort();
  return isGone;
}
