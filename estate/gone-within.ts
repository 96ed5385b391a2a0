// Waits for the end of a process, with a limit.
import { setTimeout as delay } from 'node:timers/promises';

/** Whether `ended` resolves within `ms` milliseconds. */
export async function isGoneWithin(ms: number, ended: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(ms, false, { signal: timer.signal }).catch(() => false);
  const isGone = await Promise.race([ended.then(() => true), late]);
  timer.abort();
  return isGone;
}
