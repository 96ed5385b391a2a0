// The UNDO journal: written before the replica image is overwritten, read by images, dropped from the front by trims.
import { crc32 } from 'node:zlib';
import type { Change } from './changes.js';
import { corrupt } from './errors.js';
import type { Files } from './files.js';
import { RECORD_HEADER_BYTES, coveredBytes, encodeRecordHeader } from './record-format.js';
import type { RecordHeader } from './record-format.js';
import { scanRecords } from './scan.js';
import { SEGMENT_HEADER_BYTES } from './segment-format.js';
import type { Segment, SegmentLog } from './segment-log.js';
import { UndoIndex, ZERO_RUN } from './undo-index.js';

/** A segment as it stood at some instant: what is appended later isn't part of it. */
export interface SegmentExtract {
  readonly segment: Segment;
  readonly bytes: number;
  /** Nothing will be appended to it. */
  readonly complete: boolean;
}

export class UndoLog {
  readonly #files: Files;
  readonly #log: SegmentLog;
  /** Trimmed, but still needed by an open image. */
  #retired: Segment[] = [];
  /** Indexes of complete segments, kept while images are open. */
  readonly #indexes = new Map<number, UndoIndex>();

  constructor(files: Files, log: SegmentLog) {
    this.#files = files;
    this.#log = log;
  }

  get bytes(): number {
    return this.#log.bytes + this.#retired.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** Writes the UNDO of a batch; the answer tells, to images that ask, what it covers. */
  append(changes: readonly Change[]): () => UndoIndex {
    const group = new UndoGroup(changes);
    const { segment, fileOffset } = this.#log.append(group);
    return () => group.index(segment.sequence, fileOffset);
  }

  /** With sync, makes what was appended survive a power cut. */
  commit(): Promise<void> {
    return this.#log.commit();
  }

  /** All UNDO after a position that is written by now, oldest first. */
  extractsAfter(position: number): readonly SegmentExtract[] {
    const last = this.#log.segments.at(-1);
    return this.#log.segments
      .filter((segment) => segment.lastPosition > position)
      .map((segment) => ({ segment, bytes: segment.bytes, complete: segment !== last }));
  }

  /** What an extract covers, from its records' headers. @throws JournalError CORRUPT */
  async index(extract: SegmentExtract): Promise<UndoIndex> {
    const { segment, bytes, complete } = extract;
    const known = this.#indexes.get(segment.sequence);
    if (known !== undefined) return known;
    const index = new UndoIndex(segment.sequence);
    let last = segment.firstPosition - 1;
    const range = { from: SEGMENT_HEADER_BYTES, to: bytes, payloads: false };
    const { at, fault } = await scanRecords(this.#files, segment.path, range, (header, fileOffset) => {
      last = header.position;
      if (coveredBytes(header) === 0) return;
      const source = header.kind === 'oldZeroes' ? ZERO_RUN : fileOffset;
      index.add(header.position, header.offset, header.length, source);
    });
    if (fault !== undefined || (complete && last !== segment.lastPosition)) {
      throw corrupt('damaged UNDO record', { file: segment.path, offset: at, position: last + 1 });
    }
    if (complete) this.#indexes.set(segment.sequence, index);
    return index;
  }

  /** Takes whole segments at or before a position out of the journal; `deleteRetired` deletes them. */
  retire(position: number): void {
    const keep = this.#log.segments.findIndex((segment) => segment.lastPosition > position);
    this.#retired.push(...this.#log.shift(keep === -1 ? this.#log.segments.length : keep));
  }

  /** Deletes retired segments that no image at or after `oldestImage` needs. */
  deleteRetired(oldestImage: number): void {
    const kept: Segment[] = [];
    for (const segment of this.#retired) {
      if (segment.lastPosition > oldestImage) kept.push(segment);
      else this.#files.remove(segment.path);
    }
    this.#retired = kept;
  }

  /** No image is open: indexes are built anew when needed. */
  forgetIndexes(): void {
    this.#indexes.clear();
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

  /** What the records cover, once it is known where they were written. */
  index(sequence: number, fileOffset: number): UndoIndex {
    const index = new UndoIndex(sequence);
    for (const header of this.#headers) {
      if (header.kind === 'untouched') continue;
      const source = header.kind === 'oldZeroes' ? ZERO_RUN : fileOffset + header.groupDistance;
      index.add(header.position, header.offset, header.length, source);
    }
    return index;
  }

  #add({ piece, old }: Change): void {
    if (old.length === 0) this.#push(piece.header, 'untouched', 0, 0, piece.last, undefined);
    old.forEach(({ offset, length, data }, index) => {
      const last = piece.last && index === old.length - 1;
      this.#push(piece.header, data === undefined ? 'oldZeroes' : 'oldData', offset, length, last, data);
    });
  }

  #push(
    record: RecordHeader,
    kind: RecordHeader['kind'],
    offset: number,
    length: number,
    last: boolean,
    data: Buffer | undefined,
  ): void {
    const payloadCrc = data === undefined ? 0 : crc32(data);
    const header = { ...record, kind, offset, length, last, payloadCrc, groupDistance: this.bytes };
    const encoded = Buffer.allocUnsafe(RECORD_HEADER_BYTES);
    encodeRecordHeader(header, encoded, 0);
    this.#headers.push(header);
    this.parts.push(encoded);
    if (data !== undefined) this.parts.push(data);
    this.bytes += RECORD_HEADER_BYTES + length * (data === undefined ? 0 : 1);
  }
}
