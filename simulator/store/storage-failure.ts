// Turns a failed write into the error for whoever asked for the change: nothing was changed, and
// room is missing or not.
import { statfsSync } from 'node:fs';
import { MoverError } from '../../contracts/errors.js';

const NO_ROOM_CODES: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
/** lmdb's words for a full disk: its errors carry numbers, and not always as a code. */
const NO_ROOM_TEXT = /no space left|MDB_MAP_FULL|quota exceeded/i;

/**
 * The error for a change that could not be stored.
 * @param path the folder or file that could not be written
 */
export function storageFailure(path: string, cause: unknown): MoverError {
  return isOutOfRoom(cause) || isFull(path)
    ? new MoverError('STORAGE_FULL', `There is no room left to store a change in ${path}.`, { cause })
    : new MoverError('STORAGE_FAILED', `A change could not be stored in ${path}: ${messageOf(cause)}`, { cause });
}

/** Whether a file operation failed because the disk, or a quota on it, is full. */
export function isOutOfRoom(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  return NO_ROOM_CODES.has(code) || code === NO_ROOM_NUMBER || NO_ROOM_TEXT.test(error.message);
}

/**
 * Whether the disk is full. lmdb says "Input/output error" of a partial write; the free space tells
 * why.
 */
function isFull(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize < ROOM_BYTES_MIN;
  } catch {
    return false;
  }
}

/** Free bytes that a change of a few rows needs. */
const ROOM_BYTES_MIN = 64 * 1024;

/** ENOSPC's number on Linux and macOS. */
const NO_ROOM_NUMBER = 28;

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
