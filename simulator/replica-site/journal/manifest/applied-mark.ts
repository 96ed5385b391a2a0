// The last position that is in the replica image, stored after each batch. If UNDO ends before it,
// UNDO has lost its end, and old data must not be read from the image again: the image is newer
// already.
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Files } from '../terms/files.js';
import { readSafeInteger, writeSafeInteger } from '../segments/record-format.js';
import { unlessGivenUp } from '../files/unreadable.js';

export const APPLIED_NAME = 'applied';
const DONE_AT = 8;
const SUM_AT = 16;
const MARK_BYTES = SUM_AT + 4;

/** The last position applied whole, and how many bytes of the record after it are applied. */
export interface AppliedReach {
  readonly position: number;
  readonly done: number;
}

export const NOTHING_APPLIED: AppliedReach = { position: 0, done: 0 };

export class AppliedMark {
  readonly #files: Files;
  readonly #path: string;
  readonly #bytes = Buffer.alloc(MARK_BYTES);

  constructor(files: Files, directory: string) {
    this.#files = files;
    this.#path = join(directory, APPLIED_NAME);
  }

  /**
   * The stored mark; {@link NOTHING_APPLIED} if it is missing or damaged. UNDO up to the mark was
   * written, and synced, before the mark.
   */
  read(): AppliedReach {
    if ((this.#files.size(this.#path) ?? 0) < MARK_BYTES) return NOTHING_APPLIED;
    const bytes = this.#bytes;
    const count = unlessGivenUp(() => this.#files.read(this.#path, bytes, 0)) ?? 0;
    const isSound = count === MARK_BYTES && bytes.readUInt32LE(SUM_AT) === this.#sum();
    if (!isSound) return NOTHING_APPLIED;
    return { position: readSafeInteger(bytes, 0), done: readSafeInteger(bytes, DONE_AT) };
  }

  write({ position, done }: AppliedReach): void {
    writeSafeInteger(this.#bytes, position, 0);
    writeSafeInteger(this.#bytes, done, DONE_AT);
    this.#bytes.writeUInt32LE(this.#sum(), SUM_AT);
    this.#files.write(this.#path, [this.#bytes], 0);
  }

  #sum(): number {
    return crc32(this.#bytes.subarray(0, SUM_AT));
  }
}
