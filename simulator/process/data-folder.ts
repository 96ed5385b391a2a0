// One process at a time owns a data folder. The lock outlives a killed owner as a file, and is then
// seen to be nobody's.
import { mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { MoverError } from '../../contracts/errors.js';

export interface FolderLock {
  /** Safe to call twice. */
  readonly release: () => void;
}

const LOCK_FILE = 'owner.pid';
/** A lost race or an abandoned lock costs one round; more means that others keep taking it. */
const ROUNDS_MAX = 5;

/**
 * Makes the folder if it is missing and locks it.
 * @throws MoverError INVALID_REQUEST when a living process has it.
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
 * The owner stands in a symbolic link's target: it is there when the name is, so that a lock that
 * is half written can't be seen, and it takes no block of the disk, so that a full one is no reason
 * not to start.
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

/** Takes the abandoned lock away, and puts it back if somebody renewed it in between. */
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
    // A file: how earlier versions wrote it.
    if (codeOf(error) === 'EINVAL') return readFileSync(path, 'utf8');
    throw error;
  }
}

/** Process ids are used again; the id with the time of the process's start is not. */
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

/**
 * In the kernel's clock ticks since boot; undefined without such a process, or where there is no
 * /proc.
 */
function startTimeOf(pid: number): string | undefined {
  try {
    // The 22nd field; the second is the command in parentheses, which may contain anything.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19];
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
