// One open image: the live replica image, with the old data after its position put back from UNDO.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { DamagePlace } from '../terms/damage.js';
import { JournalError, corrupt } from '../terms/errors.js';
import type { Extent } from '../ranges/extent-map.js';
import type { Allocated } from '../../../disk/holes.js';
import type { Files } from '../terms/files.js';
import { Overlay, isDamagedRun, isZeroRun } from './overlay.js';
import { RECORD_HEADER_BYTES, decodeRecordHeader } from '../segments/record-format.js';
import { BLOCK_BYTES } from '../ranges/blocks.js';
import type { DamagedBlock, Replica } from '../replica/replica.js';
import type { Image } from '../terms/types.js';
import { IMAGE_READ_BYTES_MAX } from '../terms/types.js';
import type { UndoIndex } from '../undo/undo-index.js';
import type { UndoLog } from '../undo/undo-log.js';
import { unlessGivenUpLater } from '../files/unreadable.js';

/** Records added to the overlay in one turn of the event loop: a few milliseconds. */
const RECORDS_PER_TURN = 8192;

export interface ImageSource {
  readonly files: Files;
  readonly replica: Replica;
  readonly undo: UndoLog;
  /** Called when old bytes that an image needs are found to be damaged. */
  readonly onDamage: (found: FoundDamage) => Promise<void>;
}

/**
 * An UNDO record with damaged old data. It has no position if it is an `oldDamaged` record, which
 * says that the bytes were damaged when they were overwritten.
 */
export interface FoundDamage {
  readonly position: number | undefined;
  readonly offset: number;
  readonly length: number;
  readonly place: DamagePlace;
  /** Position of the image that needs it. */
  readonly imagePosition: number;
}

export class OpenImage implements Image {
  readonly position: number;
  /** How many segments had been retired when it was opened: it may need segments retired later. */
  readonly openedAt: number;
  readonly #source: ImageSource;
  readonly #onClose: (image: OpenImage) => void;
  readonly #overlay: Overlay;
  /** UNDO published while older UNDO is still being loaded; undefined after loading. */
  #waiting: UndoIndex[] | undefined = [];
  #closed = false;

  constructor(position: number, source: ImageSource, onClose: (image: OpenImage) => void) {
    this.position = position;
    this.openedAt = source.undo.retirements;
    this.#source = source;
    this.#onClose = onClose;
    this.#overlay = new Overlay(position);
  }

  get changedRanges(): { readonly count: number; readonly bytes: number } {
    return { count: this.#overlay.count, bytes: this.#overlay.bytes };
  }

  /** Adds all UNDO after the position that is written by now; `publish` adds the rest. */
  async load(): Promise<void> {
    for (const extract of this.#source.undo.extractsAfter(this.position)) {
      await this.#addSlowly(await this.#source.undo.index(extract));
    }
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const index of waiting) this.publish(index);
  }

  /** Adds new UNDO. Called before the replica image is overwritten. */
  publish(index: UndoIndex): void {
    if (this.#waiting === undefined) this.#overlay.add(index, this.#overlay.firstOf(index), index.count);
    else this.#waiting.push(index);
  }

  async read(offset: number, length: number): Promise<Buffer> {
    this.#assertOpen();
    const inside = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
    if (!inside || length > IMAGE_READ_BYTES_MAX || offset + length > this.#source.replica.sizeBytes) {
      throw new JournalError('OUT_OF_RANGE', `cannot read ${length} bytes at ${offset} of the volume`);
    }
    if (length === 0) return Buffer.alloc(0);
    const wide = this.#source.replica.widened(offset, offset + length);
    const wideBytes = Buffer.allocUnsafe(wide.to - wide.from);
    const bytes = wideBytes.subarray(offset - wide.from, offset - wide.from + length);
    await this.#fill(wideBytes, wide.from, bytes, offset);
    return bytes;
  }

  async readInto(offset: number, into: Buffer): Promise<void> {
    this.#assertOpen();
    const end = offset + into.length;
    const { from, to } = this.#source.replica.widened(offset, end);
    if (from !== offset || to !== end)
      throw new JournalError('OUT_OF_RANGE', `${into.length} bytes at ${offset} of the volume are not whole blocks`);
    await this.#fill(into, offset, into, offset);
  }

  /** Reads whole blocks of the replica, and puts back what UNDO has for a part of them. */
  async #fill(wideBytes: Buffer, wideFrom: number, bytes: Buffer, offset: number): Promise<void> {
    const end = offset + bytes.length;
    // The replica is read first: bytes overwritten from now on have their UNDO in the overlay by
    // the time it is read.
    const damaged = await this.#source.replica.readLater(wideBytes, wideFrom);
    const extents = this.#overlay.within(offset, end);
    for (const block of damaged) this.#assertUnneeded(block, offset, end);
    await Promise.all(
      extents.map((extent) => this.#putBack(extent, bytes.subarray(extent.start - offset, extent.end - offset))),
    );
    this.#assertOpen();
  }

  async parts(offset: number, length: number, countMax: number): Promise<readonly Allocated[]> {
    this.#assertOpen();
    // The replica first, as for a read: bytes overwritten from now on have their UNDO in the
    // overlay by the time it is looked at.
    const below = await this.#source.replica.parts(offset, length, countMax);
    this.#assertOpen();
    const end = offset + below.reduce((sum, part) => sum + part.length, 0);
    const extents = this.#overlay.within(offset, end, countMax);
    const upTo = extents.length < countMax ? end : (extents.at(-1)?.end ?? end);
    return overlaid(offset, upTo, below, extents);
  }

  async partFrom(offset: number, length: number): Promise<Allocated> {
    this.#assertOpen();
    // The replica first, as for `parts`.
    const below = await this.#source.replica.partFrom(offset, length);
    this.#assertOpen();
    const [extent] = this.#overlay.within(offset, offset + below.length, 1);
    if (extent === undefined) return below;
    if (extent.start > offset) return { length: extent.start - offset, isHole: below.isHole };
    return { length: extent.end - offset, isHole: isZeroRun(extent) };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose(this);
  }

  async #addSlowly(index: UndoIndex): Promise<void> {
    for (let from = this.#overlay.firstOf(index); from < index.count; from += RECORDS_PER_TURN) {
      this.#assertOpen();
      this.#overlay.add(index, from, Math.min(index.count, from + RECORDS_PER_TURN));
      await nextTurn();
    }
  }

  /** Refuses a damaged block of the live replica unless UNDO has all bytes that are asked for. */
  #assertUnneeded({ block }: DamagedBlock, start: number, end: number): void {
    const from = Math.max(start, block * BLOCK_BYTES);
    const to = Math.min(end, (block + 1) * BLOCK_BYTES);
    const covered = this.#overlay.within(from, to).reduce((sum, extent) => sum + extent.end - extent.start, 0);
    if (covered < to - from) throw this.#corruptReplica('damaged block', block * BLOCK_BYTES);
  }

  #corruptReplica(what: string, offset: number): JournalError {
    return corrupt(what, { file: this.#source.replica.path, offset, position: this.position });
  }

  async #putBack(extent: Extent, into: Buffer): Promise<void> {
    if (isZeroRun(extent)) {
      into.fill(0);
      return;
    }
    if (isDamagedRun(extent)) {
      const { start: offset, end } = extent;
      const place = { file: this.#source.replica.path, offset };
      await this.#reportDamage({ position: undefined, offset, length: end - offset, place });
      throw this.#corruptReplica('bytes that were damaged before they were overwritten', extent.start);
    }
    const { files } = this.#source;
    const { fileOffset, recordOffset, recordLength } = extent.source;
    const path = this.#overlay.path(extent);
    const record = Buffer.allocUnsafe(RECORD_HEADER_BYTES + recordLength);
    const count = (await unlessGivenUpLater(files.readLater(path, record, fileOffset))) ?? 0;
    const header = decodeRecordHeader(record, 0);
    const payload = record.subarray(RECORD_HEADER_BYTES);
    if (count < record.length || header === undefined || header.payloadCrc !== crc32(payload)) {
      const position = header?.position ?? this.position + 1;
      const place = { file: path, offset: fileOffset };
      await this.#reportDamage({ position: header?.position, offset: recordOffset, length: recordLength, place });
      throw corrupt('damaged UNDO record', { file: path, offset: fileOffset, position });
    }
    payload.copy(into, 0, extent.start - recordOffset, extent.end - recordOffset);
  }

  async #reportDamage(found: Omit<FoundDamage, 'imagePosition'>): Promise<void> {
    await this.#source.onDamage({ ...found, imagePosition: this.position });
  }

  #assertOpen(): void {
    if (this.#closed) throw new JournalError('CLOSED', `image at position ${this.position} is closed`);
  }
}

/** The parts of [start, end) as UNDO and the live replica together have them. */
function overlaid(start: number, end: number, below: readonly Allocated[], extents: readonly Extent[]): Allocated[] {
  const parts: Allocated[] = [];
  const add = (to: number, isHole: boolean): void => {
    if (to > at) parts.push({ length: to - at, isHole });
    at = Math.max(at, to);
  };
  let at = start;
  let next = 0;
  let partEnd = start;
  for (const { length, isHole } of below) {
    partEnd += length;
    for (let extent = extents[next]; extent !== undefined && extent.start < partEnd; extent = extents[next]) {
      add(extent.start, isHole);
      add(extent.end, isZeroRun(extent));
      next += 1;
    }
    add(Math.min(partEnd, end), isHole);
  }
  return parts;
}
