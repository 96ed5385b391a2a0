// Writes a sparse disk image. It appears under its name only when it is complete.
import { randomBytes } from 'node:crypto';
import { link, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { invalidField, type MoverError } from '../../contracts/errors.js';
import { wrongPlace } from './make-folder.js';

/** Smallest hole, bytes: the block size of common file systems. */
const GRAIN_BYTES = 4096;
const ZEROES = Buffer.alloc(GRAIN_BYTES);

export class SparseFile {
  readonly path: string;
  readonly #draft: string;
  readonly #file: FileHandle;
  #dataBytes = 0;

  private constructor(path: string, draft: string, file: FileHandle) {
    this.path = path;
    this.#draft = draft;
    this.#file = file;
  }

  /**
   * Makes an all-zero draft beside the path.
   * @throws MoverError INVALID_REQUEST when the place can't be used; the system's error
   */
  static async create(path: string, sizeBytes: number): Promise<SparseFile> {
    const draft = `${path}.${randomBytes(4).toString('hex')}.part`;
    const file = await openDraft(draft, path);
    try {
      await file.truncate(sizeBytes);
    } catch (error) {
      await file.close();
      await rm(draft, { force: true });
      throw error;
    }
    return new SparseFile(path, draft, file);
  }

  /** Bytes outside holes. */
  get dataBytes(): number {
    return this.#dataBytes;
  }

  /**
   * Writes data at `offset`, a multiple of 4 KiB. Blocks of 4 KiB that are all zero are left out.
   */
  async write(offset: number, data: Buffer): Promise<void> {
    for (let start = nextData(data, 0); start < data.length;) {
      const end = nextZero(data, start);
      await writeAll(this.#file, data.subarray(start, end), offset + start);
      this.#dataBytes += end - start;
      start = nextData(data, end);
    }
  }

  /**
   * Syncs the file to stable storage and gives it its name.
   * @throws MoverError INVALID_REQUEST when the name is taken and `overwrite` is false.
   */
  async publish(overwrite: boolean): Promise<void> {
    await this.#file.sync();
    await this.#file.close();
    if (overwrite) {
      await rename(this.#draft, this.path);
      return;
    }
    try {
      await link(this.#draft, this.path);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw taken(this.path);
      throw error;
    } finally {
      await rm(this.#draft, { force: true });
    }
  }

  /** Removes the draft. Call it instead of `publish`. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    await rm(this.#draft, { force: true });
  }
}

async function openDraft(draft: string, path: string): Promise<FileHandle> {
  try {
    return await open(draft, 'wx');
  } catch (error) {
    throw wrongPlace(path, error) ?? error;
  }
}

export function taken(path: string): MoverError {
  const message = `"${path}" exists already: name another place, or allow overwriting`;
  return invalidField('to', message, `${message}.`);
}

async function writeAll(file: FileHandle, data: Buffer, position: number): Promise<void> {
  for (let written = 0; written < data.length;) {
    const { bytesWritten } = await file.write(data, written, data.length - written, position + written);
    written += bytesWritten;
  }
}

function isZeroGrain(data: Buffer, start: number): boolean {
  const grain = data.subarray(start, start + GRAIN_BYTES);
  return grain.equals(grain.length === GRAIN_BYTES ? ZEROES : ZEROES.subarray(0, grain.length));
}

function nextData(data: Buffer, from: number): number {
  let start = from;
  while (start < data.length && isZeroGrain(data, start)) start += GRAIN_BYTES;
  return Math.min(start, data.length);
}

function nextZero(data: Buffer, from: number): number {
  let end = from;
  while (end < data.length && !isZeroGrain(data, end)) end += GRAIN_BYTES;
  return Math.min(end, data.length);
}
