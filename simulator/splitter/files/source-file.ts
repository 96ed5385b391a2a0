// A virtual volume's content: a sparse file. A volume that was never written has no file and reads
// as zeroes.
import type { Allocated } from '../../disk/holes.js';
import { systemCalls, type DiskCalls } from '../../disk/disk-calls.js';
import { OpenFile } from '../../disk/open-file.js';
import { DiskPace } from './disk-pace.js';
import { isZero } from './zero.js';

/** Zeroing works in steps of this many bytes: it reads, and writes where it must. */
const ZERO_STEP_BYTES = 1024 * 1024;
const ZEROES = Buffer.alloc(ZERO_STEP_BYTES);

export class SourceFile {
  readonly #file: OpenFile;
  readonly #calls: DiskCalls;
  readonly #pace: DiskPace;
  #written: boolean;
  /** The file system refused to make a hole. */
  #cannotPunch = false;

  constructor(path: string, sizeBytes: number, calls: DiskCalls = systemCalls, pace = new DiskPace()) {
    this.#file = new OpenFile(path, sizeBytes, calls);
    this.#calls = calls;
    this.#pace = pace;
    this.#written = calls.exists(path);
  }

  get path(): string {
    return this.#file.path;
  }

  /** Whether the volume was ever written. */
  get isWritten(): boolean {
    return this.#written;
  }

  /** Whether the disk is quick enough for calls on the main thread, those named `…Now`. */
  get isQuick(): boolean {
    return this.#pace.isQuick;
  }

  /** Whether room can be freed. Trims are not even tried otherwise. */
  get canPunch(): boolean {
    return this.#calls.holes?.isKnown === true && !this.#cannotPunch;
  }

  readNow(offset: number, length: number): Buffer {
    return this.#written ? this.#pace.now(() => this.#file.readNow(offset, length)) : Buffer.alloc(length);
  }

  async readLater(offset: number, length: number): Promise<Buffer> {
    return this.#written ? this.#pace.later(async () => this.#file.readLater(offset, length)) : Buffer.alloc(length);
  }

  /** Fills the buffer with what is at the offset. */
  async readInto(offset: number, data: Buffer): Promise<void> {
    if (this.#written) await this.#pace.later(async () => this.#file.readInto(offset, data));
    else data.fill(0);
  }

  writeNow(offset: number, data: Buffer): void {
    this.#written = true;
    this.#pace.now(() => this.#file.writeNow(offset, data));
  }

  async writeLater(offset: number, data: Buffer): Promise<void> {
    this.#written = true;
    await this.#pace.later(async () => this.#file.writeLater(offset, data));
  }

  /**
   * Zeroes a range of up to ZERO_STEP_BYTES. Writes nothing if it is zero already, so holes stay
   * holes.
   * @param mayPunch frees the room, where the file system can.
   */
  zeroNow(offset: number, length: number, mayPunch = false): void {
    if (this.#isAllHole() || isZero(this.readNow(offset, length))) return;
    if (mayPunch && this.canPunch && this.#isHoleMade(this.#pace.now(() => this.#file.punchNow(offset, length))))
      return;
    this.writeNow(offset, ZEROES.subarray(0, length));
  }

  /**
   * Zeroes a range of any length, in the thread pool.
   * @param doubted writes zeroes even where zeroes are read: those may be in the page cache only.
   * @param mayPunch frees the room, where the file system can.
   */
  async zeroLater(offset: number, length: number, { doubted = false, mayPunch = false } = {}): Promise<void> {
    if (this.#isAllHole()) return;
    if (mayPunch && !doubted && this.canPunch && (await this.#punchLater(offset, length))) return;
    const end = offset + length;
    for (let at = offset; at < end;) {
      const part = doubted ? { length: end - at, isHole: false } : await this.#file.partAt(at, end - at);
      const step = part.isHole ? part.length : Math.min(ZERO_STEP_BYTES, part.length);
      if (!part.isHole && (doubted || !isZero(await this.readLater(at, step))))
        await this.writeLater(at, ZEROES.subarray(0, step));
      at += step;
    }
  }

  async #punchLater(offset: number, length: number): Promise<boolean> {
    return this.#isHoleMade(await this.#pace.later(async () => this.#file.punch(offset, length)));
  }

  #isHoleMade(isMade: boolean): boolean {
    if (!isMade) this.#cannotPunch = true;
    return isMade;
  }

  /** Whether the range is a hole, for all that the file system tells. */
  async isHole(offset: number, length: number): Promise<boolean> {
    if (this.#isAllHole()) return true;
    const part = await this.#file.partAt(offset, length);
    return part.isHole && part.length === length;
  }

  /** The part at `offset` that is one hole, or data, as far as the file system tells. */
  async partAt(offset: number, length: number): Promise<Allocated> {
    if (this.#isAllHole()) return { length, isHole: true };
    if (this.isQuick) return this.#pace.now(() => this.#file.partNow(offset, length));
    return this.#pace.later(async () => this.#file.partAt(offset, length));
  }

  /** Which parts of the range are holes: from its start on, no more than `countMax` of them. */
  async parts(offset: number, length: number, countMax: number): Promise<Allocated[]> {
    if (!this.#written) return [{ length, isHole: true }];
    const parts: Allocated[] = [];
    for (let at = offset; at < offset + length && parts.length < countMax; at += parts.at(-1)?.length ?? length)
      parts.push(await this.#file.partAt(at, offset + length - at));
    return parts;
  }

  /**
   * Writes data that was just read: an earlier life may have failed to sync it, and only writing it
   * again brings it to the disk.
   */
  async rewrite(offset: number, data: Buffer): Promise<void> {
    if (!this.#isAllHole()) await this.writeLater(offset, data);
  }

  #isAllHole(): boolean {
    return !this.#written || this.#file.isHole;
  }

  async sync(): Promise<void> {
    if (this.#written) await this.#file.sync();
  }

  /**
   * Makes the disk larger; the new part reads as zeroes.
   * @throws the system's error: nothing has changed then
   */
  grow(sizeBytes: number): void {
    this.#file.grow(sizeBytes);
  }

  /** Opens the file that now lies in its place. */
  renewed(): void {
    this.#file.renewed();
    this.#written = this.#calls.exists(this.path);
  }

  close(): void {
    this.#file.close();
  }
}
