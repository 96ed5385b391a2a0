// Keeps two processes from doing the same minutes of work at once. It only saves work: what is
// guarded must stay correct without it (here by renaming a finished file into place), since a stale
// lock is taken over on a guess.
import { mkdir, open, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** How often the holder shows that it lives, ms. */
const LOCK_TOUCH_INTERVAL_MS = 2_000;
/**
 * A lock not touched for so long, ms, belongs to a dead process: well over the interval, for a
 * machine under load.
 */
const LOCK_STALE_AFTER_MS = 20_000;
/** How often one who waits looks again, ms. */
const LOCK_POLL_INTERVAL_MS = 500;

export interface FileLockOptions {
  readonly path: string;
  /** Called once, when another process turns out to hold the lock. */
  readonly onWait: () => void;
  readonly signal?: AbortSignal;
}

/**
 * Runs `work` while holding the lock file at `path`; waits, without limit but for `signal`, while
 * another process does.
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
    // A lock taken over by mistake is not fought for: both processes do the work.
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
  // Of several that find it stale, the rename succeeds for one.
  const discarded = `${path}.stale-${process.pid}`;
  await rename(path, discarded).catch(() => undefined);
  await rm(discarded, { force: true });
}

function isErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
