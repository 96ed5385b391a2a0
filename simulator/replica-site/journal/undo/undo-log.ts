// The UNDO journal. It is written before the replica image is overwritten, read by images, and
// trimmed from the front.
import { crc32 } from 'node:zlib';
import type { Aside } from '../files/aside.js';
import type { Change } from '../replica/changes.js';
import type { ByteRange, DamagePlace } from '../terms/damage.js';
import { encodeEdgeSums } from '../segments/edge-sums.js';
import { corrupt } from '../terms/errors.js';
import { NO_SOURCE } from '../ranges/extent-leaf.js';
import { ExtentMap } from '../ranges/extent-map.js';
import { isRefusal } from '../files/file-refusal.js';
import type { Files } from '../terms/files.js';
import { RECORD_HEADER_BYTES, encodeRecordHeader } from '../segments/record-format.js';
import type { RecordHeader } from '../segments/record-format.js';
import { scanRecords } from '../segments/scan.js';
import { SEGMENT_HEADER_BYTES } from '../segments/segment-format.js';
import type { Segment, SegmentLog } from '../segments/segment-log.js';
import { UndoIndex } from './undo-index.js';

/** A segment as of some instant, without what is appended later. */
export interface SegmentExtract {
  readonly segment: Segment;
  readonly bytes: number;
  /** Whether nothing will be appended to the segment. */
  readonly complete: boolean;
}

/** A segment that is out of the log, but that open images may still need. */
interface RetiredSegment {
  readonly segment: Segment;
  /** Number of its retirement: images opened later don't use it. */
  readonly retirement: number;
  /** Whether the file goes aside, for people to look at, instead of being deleted. */
  readonly isKept: boolean;
}

/**
 * What an image needs: old data after its position, from segments not yet retired when it was
 * opened.
 */
export interface UndoReader {
  readonly position: number;
  /** {@link UndoLog.retirements} when it was opened. */
  readonly openedAt: number;
}

export class UndoLog {
  readonly #files: Files;
  readonly #log: SegmentLog;
  #retired: RetiredSegment[] = [];
  #retirements = 0;
  /** Indexes of complete segments, kept while images are open. */
  readonly #indexes = new Map<Segment, UndoIndex>();
  readonly #aside: Aside;

  constructor(files: Files, log: SegmentLog, aside: Aside) {
    this.#files = files;
    this.#log = log;
    this.#aside = aside;
  }

  get bytes(): number {
    return this.#log.bytes + this.#retired.reduce((sum, { segment }) => sum + segment.bytes, 0);
  }

  /** Segments, oldest first. */
  get segments(): readonly Segment[] {
    return this.#log.segments;
  }

  /** The last segment, if it still grows. */
  get growing(): Segment | undefined {
    return this.#log.growing;
  }

  /** How often segments were retired. */
  get retirements(): number {
    return this.#retirements;
  }

  /** Writes the UNDO of a batch. Returns a function that makes its index, for open images. */
  append(changes: readonly Change[]): () => UndoIndex {
    const group = new UndoGroup(changes);
    const { segment, fileOffset } = this.#log.append(group);
    return () => group.index(segment.path, fileOffset);
  }

  /** Makes appended UNDO survive a power cut; does nothing without sync. */
  commit(): Promise<void> {
    return this.#log.commit();
  }

  /** Ends the growing segment: the next batch begins a new one. */
  seal(): void {
    this.#log.seal();
  }

  /** All UNDO after a position that is written by now, oldest first. */
  extractsAfter(position: number): readonly SegmentExtract[] {
    const { growing } = this.#log;
    return this.#log.segments
      .filter((segment) => segment.lastPosition > position)
      .map((segment) => ({ segment, bytes: segment.bytes, complete: segment !== growing }));
  }

  /**
   * Indexes an extract, from its records' headers.
   * @throws JournalError CORRUPT
   */
  async index(extract: SegmentExtract): Promise<UndoIndex> {
    const { segment, bytes, complete } = extract;
    const known = this.#indexes.get(segment);
    if (known !== undefined) return known;
    const index = new UndoIndex(segment.path);
    let last = segment.firstPosition - 1;
    const range = { from: SEGMENT_HEADER_BYTES, to: bytes, payloads: false };
    const { at, fault } = await scanRecords(this.#files, segment.path, range, (header, fileOffset) => {
      last = header.position;
      index.addRecord(header, fileOffset);
    });
    // The last record of a consolidated segment may have been dropped; its header says its length.
    const short = complete && segment.consolidated === undefined && last !== segment.lastPosition;
    if (fault !== undefined || short) {
      throw corrupt('damaged UNDO record', { file: segment.path, offset: at, position: last + 1 });
    }
    if (complete) this.#indexes.set(segment, index);
    return index;
  }

  /**
   * Reads every record with its payload, and calls `onBad` for those with damaged old data.
   * @throws JournalError CORRUPT where no record begins
   */
  async checkPayloads(onBad: (header: RecordHeader, place: DamagePlace) => Promise<void>): Promise<void> {
    for (const { segment, bytes } of this.extractsAfter(-1)) {
      const bad: { readonly header: RecordHeader; readonly at: number }[] = [];
      let last = segment.firstPosition - 1;
      const onBadPayload = (header: RecordHeader, at: number): void => void bad.push({ header, at });
      const range = { from: SEGMENT_HEADER_BYTES, to: bytes, payloads: true, onBadPayload };
      const { at, fault } = await scanRecords(this.#files, segment.path, range, ({ position }) => {
        last = position;
      });
      if (fault !== undefined)
        throw corrupt('damaged UNDO record', { file: segment.path, offset: at, position: last + 1 });
      for (const one of bad) {
        if (one.header.kind === 'oldData') await onBad(one.header, { file: segment.path, offset: one.at });
      }
    }
  }

  /**
   * Takes segments that end at or before a position out of the log; `deleteRetired` deletes their
   * files. Returns their bytes.
   */
  retire(position: number): number {
    return this.#retireAll(this.#takeOut(position), false);
  }

  /** Does the same as `retire`, but the files go aside. */
  retireAside(position: number): void {
    this.#retireAll(this.#takeOut(position), true);
  }

  /** Replaces neighbouring segments by one, and retires them. */
  replace(sources: readonly Segment[], segment: Segment): void {
    this.#log.replace(sources, segment);
    this.#retireAll(sources, false);
  }

  /** Replaces a damaged segment, whose file goes aside. */
  replaceAside(source: Segment, segment: Segment): void {
    this.#log.replace([source], segment);
    this.#retireAll([source], true);
  }

  /**
   * The oldest position whose image reads any of the bytes from the record of `position`: older
   * images find all of them in earlier UNDO. `trimPosition` if there is no such bound, or if that
   * UNDO can't be read.
   */
  async neededFrom(position: number, bytes: ByteRange, trimPosition: number): Promise<number> {
    const found = new ExtentMap();
    const end = bytes.offset + bytes.length;
    for (const extract of this.extractsAfter(-1).toReversed()) {
      if (extract.segment.firstPosition > position) continue;
      const index = await this.index(extract).catch(() => undefined);
      if (index === undefined) return trimPosition;
      for (let record = index.firstAfter(position - 1) - 1; record >= 0; record -= 1) {
        const from = Math.max(bytes.offset, index.offset(record));
        const to = Math.min(end, index.offset(record) + index.length(record));
        if (from >= to) continue;
        found.cover(from, to, NO_SOURCE);
        if (found.bytes === bytes.length) return index.position(record);
      }
    }
    return trimPosition;
  }

  /**
   * Deletes retired segments that no image needs. One that the disk refuses to delete is tried
   * again later.
   */
  deleteRetired(readers: Iterable<UndoReader>): void {
    if (this.#retired.length === 0) return;
    const all = [...readers];
    const kept: RetiredSegment[] = [];
    for (const retired of this.#retired) {
      const { segment, retirement } = retired;
      const needed = all.some(({ position, openedAt }) => openedAt < retirement && position < segment.lastPosition);
      if (needed || !this.#remove(retired)) kept.push(retired);
    }
    this.#retired = kept;
  }

  /** Drops the indexes while no image is open; they are built again when needed. */
  forgetIndexes(): void {
    this.#indexes.clear();
  }

  #remove({ segment: { path }, isKept }: RetiredSegment): boolean {
    try {
      if (isKept) this.#aside.moveNow(path);
      else this.#files.remove(path);
      return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return false;
    }
  }

  /** Takes the segments that end at or before a position out of the log. */
  #takeOut(position: number): readonly Segment[] {
    const keep = this.#log.segments.findIndex((segment) => segment.lastPosition > position);
    return this.#log.shift(keep === -1 ? this.#log.segments.length : keep);
  }

  #retireAll(segments: readonly Segment[], isKept: boolean): number {
    this.#retirements += 1;
    const retirement = this.#retirements;
    this.#retired.push(...segments.map((segment) => ({ segment, retirement, isKept })));
    for (const segment of segments) this.#indexes.delete(segment);
    return segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }
}

/** The UNDO records of one batch, ready to be written. */
class UndoGroup {
  readonly firstPosition: number;
  readonly lastPosition: number;
  readonly continued: boolean;
  readonly parts: Uint8Array[] = [];
  bytes = 0;
  readonly #headers: RecordHeader[] = [];

  constructor(changes: readonly Change[]) {
    const first = changes[0]?.piece;
    this.firstPosition = first?.header.position ?? 0;
    this.lastPosition = changes.at(-1)?.piece.header.position ?? 0;
    this.continued = first !== undefined && first.offset !== first.header.offset && first.length > 0;
    for (const change of changes) this.#add(change);
  }

  /** The index of the records, given where they were written. */
  index(path: string, fileOffset: number): UndoIndex {
    const index = new UndoIndex(path);
    for (const header of this.#headers) index.addRecord(header, fileOffset + header.groupDistance);
    return index;
  }

  #add({ piece, old, edges }: Change): void {
    if (old.length === 0) this.#push(piece.header, 'untouched', 0, 0, piece.last, undefined);
    // Checksums come first, so that they are there when only a part of the piece is redone.
    if (edges.length > 0) {
      const payload = encodeEdgeSums(edges);
      this.#push(piece.header, 'edgeSums', piece.offset, payload.length, false, payload);
    }
    old.forEach((range, index) => {
      const last = piece.last && index === old.length - 1;
      const [data, crc] = range.kind === 'oldData' ? [range.data, range.crc] : [];
      this.#push(piece.header, range.kind, range.offset, range.length, last, data, crc);
    });
  }

  #push(
    record: RecordHeader,
    kind: RecordHeader['kind'],
    offset: number,
    length: number,
    last: boolean,
    data: Buffer | undefined,
    crc?: number,
  ): void {
    const payloadCrc = crc ?? (data === undefined ? 0 : crc32(data));
    const header = { ...record, kind, offset, length, last, payloadCrc, groupDistance: this.bytes };
    const encoded = Buffer.allocUnsafe(RECORD_HEADER_BYTES);
    encodeRecordHeader(header, encoded, 0);
    this.#headers.push(header);
    this.parts.push(encoded);
    if (data !== undefined) this.parts.push(data);
    this.bytes += RECORD_HEADER_BYTES + length * (data === undefined ? 0 : 1);
  }
}
