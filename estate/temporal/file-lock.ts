// Keeps two processes from doing the same minutes of work. It only saves work: the guarded work
// must stay correct without the lock (here: a finished file is renamed into place), because a stale
// lock is taken over on a guess.
import { mkdir, open, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** How often the holder touches the lock, ms. */
const LOCK_TOUCH_INTERVAL_MS = 2_000;
/**
 * Age, ms, at which an untouched lock counts as a dead process's: well over the interval, for a
 * machine under load.
 */
const LOCK_STALE_AFTER_MS = 20_000;
/** Time between two tries of a waiting process, ms. */
const LOCK_POLL_INTERVAL_MS = 500;

export interface FileLockOptions {
  readonly path: string;
  /** Called once, when another process holds the lock. */
  readonly onWait: () => void;
  readonly signal?: AbortSignal;
}

/**
 * Runs `work` while holding the lock file at `path`. Waits while another process holds it; only
 * `signal` ends the wait.
 */
export async function withFileLock<T>({ path, onWait, signal }: FileLockOptions, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  let waiting = false;
  while (!(await acquire(path))) {
    if (!waiting) onWait();
    waiting = true;
    await delay(LOCK_POLL_INTERVAL_MS, undefined, { signal });
  }
  const touching = setInterval(() => {
    const now = new Date();
    // A lock taken over by mistake isn't fought for: both processes then do the work.
    utimes(path, now, now).catch(() => undefined);
  }, LOCK_TOUCH_INTERVAL_MS);
  touching.unref();
  try {
    return await work();
  } finally {
    clearInterval(touching);
    await rm(path, { force: true });
  }
}

async function acquire(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.close();
    return true;
  } catch (error) {
    if (!isErrorCode(error, 'EEXIST')) throw error;
  }
  await discardIfStale(path);
  return false;
}

async function discardIfStale(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || Date.now() - found.mtimeMs < LOCK_STALE_AFTER_MS) return;
  // If several processes find it stale, only one rename succeeds.
  const discarded = `${path}.stale-${process.pid}`;
  await rename(path, discarded).catch(() => undefined);
  await rm(discarded, { force: true });
}

function isErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
