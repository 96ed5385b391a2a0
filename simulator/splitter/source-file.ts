// The virtual volume itself: a sparse file. A volume that was never written has none, and reads as
// zeroes.
import { systemCalls, type DiskCalls } from '../disk/disk-calls.js';
import { OpenFile } from '../disk/open-file.js';
import { isZero } from './zero.js';

/** Zeroing reads, and writes where it must, in steps of this many bytes. */
const ZERO_STEP_BYTES = 1024 * 1024;
const ZEROES = Buffer.alloc(ZERO_STEP_BYTES);

export class SourceFile {
  readonly #file: OpenFile;
  readonly #calls: DiskCalls;
  #written: boolean;

  constructor(path: string, sizeBytes: number, calls: DiskCalls = systemCalls) {
    this.#file = new OpenFile(path, sizeBytes, calls);
    this.#calls = calls;
    this.#written = calls.exists(path);
  }

  get path(): string {
    return this.#file.path;
  }

  /** Whether it was ever written. */
  get isWritten(): boolean {
    return this.#written;
  }

  readNow(offset: number, length: number): Buffer {
    return this.#written ? this.#file.readNow(offset, length) : Buffer.alloc(length);
  }

  async readLater(offset: number, length: number): Promise<Buffer> {
    return this.#written ? this.#file.readLater(offset, length) : Buffer.alloc(length);
  }

  writeNow(offset: number, data: Buffer): void {
    this.#written = true;
    this.#file.writeNow(offset, data);
  }

  async writeLater(offset: number, data: Buffer): Promise<void> {
    this.#written = true;
    await this.#file.writeLater(offset, data);
  }

  /**
   * Makes the range zero and leaves alone what is already, so that holes stay holes. For ranges up
   * to ZERO_STEP_BYTES.
   */
  zeroNow(offset: number, length: number): void {
    if (this.#isAllHole()) return;
    if (!isZero(this.#file.readNow(offset, length))) this.#file.writeNow(offset, ZEROES.subarray(0, length));
  }

  /**
   * The same for any range.
   * @param doubted whether zeroes that are read may be in the page cache only: they are written
   * then.
   */
  async zeroLater(offset: number, length: number, doubted = false): Promise<void> {
    if (this.#isAllHole()) return;
    const end = offset + length;
    for (let at = offset; at < end; at += ZERO_STEP_BYTES) {
      const step = Math.min(ZERO_STEP_BYTES, end - at);
      if (doubted || !isZero(await this.#file.readLater(at, step)))
        await this.#file.writeLater(at, ZEROES.subarray(0, step));
    }
  }

  /**
   * Writes what was just read: an earlier life may have failed to sync it, and then only writing it
   * again brings it to the disk.
   */
  async rewrite(offset: number, data: Buffer): Promise<void> {
    if (!this.#isAllHole()) await this.#file.writeLater(offset, data);
  }

  #isAllHole(): boolean {
    return !this.#written || this.#file.isHole;
  }

  async sync(): Promise<void> {
    if (this.#written) await this.#file.sync();
  }

  /** Another file lies in its place. */
  renewed(): void {
    this.#file.renewed();
    this.#written = this.#calls.exists(this.path);
  }

  close(): void {
    this.#file.close();
  }
}
