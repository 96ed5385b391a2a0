// The lock of a data folder: one process at a time owns it. A killed owner leaves its lock behind;
// the next process detects that and takes over.
import { mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { MoverError } from '../../contracts/errors.js';

export interface FolderLock {
  /** Safe to call twice. */
  readonly release: () => void;
}

const LOCK_FILE = 'owner.pid';
/**
 * Most attempts to take the lock: a lost race or an abandoned lock costs one; more means that
 * others keep taking it.
 */
const ROUNDS_MAX = 5;

/**
 * Makes the folder if it is missing and locks it.
 * @throws MoverError INVALID_REQUEST when a living process owns it
 */
export function lockDataFolder(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, LOCK_FILE);
  const owner = describeOwner(process.pid);
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    if (tryCreate(path, owner)) return { release: () => releaseIfOwn(path, owner) };
    const found = readIfThere(path);
    if (found === undefined) continue;
    if (isAlive(found))
      throw new MoverError('INVALID_REQUEST', `The data folder ${folder} is in use by process ${pidOf(found)}.`);
    discard(path, found);
  }
  throw new MoverError('INVALID_REQUEST', `The data folder ${folder} is being taken by another process.`);
}

/**
 * Creates the lock as a symbolic link whose target names the owner: name and owner appear at once,
 * so nobody sees a half-written lock; and a link takes no block, so a full disk doesn't prevent a
 * start.
 */
function tryCreate(path: string, owner: string): boolean {
  try {
    symlinkSync(owner, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removes an abandoned lock, and puts it back if another process renewed it in between. */
function discard(path: string, abandoned: string): void {
  const aside = `${path}.abandoned.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if (readIfThere(aside) === abandoned) rmSync(aside, { force: true });
  else renameSync(aside, path);
}

function releaseIfOwn(path: string, owner: string): void {
  if (readIfThere(path) === owner) rmSync(path, { force: true });
}

function readIfThere(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    // A regular file: the lock of earlier versions.
    if (codeOf(error) === 'EINVAL') return readFileSync(path, 'utf8');
    throw error;
  }
}

/** The owner's text: pid and start time. A pid alone may be reused. */
function describeOwner(pid: number): string {
  return `${pid} ${startTimeOf(pid) ?? ''}`;
}

function isAlive(owner: string): boolean {
  const pid = pidOf(owner);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  const started = startTimeOf(pid);
  if (started !== undefined) return owner === `${pid} ${started}`;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function pidOf(owner: string): number {
  return Number(owner.split(' ', 1).join());
}

/** A process's start time in clock ticks since boot; undefined without the process or /proc. */
function startTimeOf(pid: number): string | undefined {
  try {
    // The 22nd field. The second is the command in parentheses, which may contain anything.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19];
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
