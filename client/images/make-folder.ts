// Makes folders for files that people ask for, and says why a place cannot be used.
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { invalidField, type MoverError } from '../../contracts/errors.js';
import { causeOf } from '../../control/cause.js';

/** The system's codes for a wrong place. Others, such as that of a full disk, are failures. */
const WRONG_PLACE: ReadonlySet<string> = new Set([
  'EACCES',
  'EEXIST',
  'EISDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'ENOENT',
  'ENOTDIR',
  'EPERM',
  'EROFS',
]);

/**
 * Makes a folder and those above it. (`mkdir` with `recursive` never returns where the system
 * answers ENOENT although the parent exists, as it does below /proc.)
 * @throws MoverError INVALID_REQUEST when the place can't be used; the system's error
 */
export async function makeFolder(path: string): Promise<void> {
  if (await isFolder(path)) return;
  const parent = dirname(path);
  if (parent !== path) await makeFolder(parent);
  try {
    await mkdir(path);
  } catch (error) {
    // Another program may have made it meanwhile.
    if (!(await isFolder(path))) throw wrongPlace(path, error) ?? error;
  }
}

export async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() === true;
}

/** The refusal of a place that can't be used; undefined for any other failure of the system. */
export function wrongPlace(path: string, error: unknown): MoverError | undefined {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return undefined;
  if (!WRONG_PLACE.has(error.code)) return undefined;
  const why = error.code === 'EEXIST' ? 'it exists and is not a folder' : causeOf(error);
  const message = `Nothing can be written to "${path}": ${why}; name another place`;
  return invalidField('to', message, `${message}.`);
}
