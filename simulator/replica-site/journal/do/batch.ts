// Reads the next records to apply from DO, as many as one turn of the event loop should apply.
import { crc32 } from 'node:zlib';
import { blockCeiling } from '../ranges/blocks.js';
import { corrupt } from '../terms/errors.js';
import type { Files } from '../terms/files.js';
import { RECORD_HEADER_BYTES, coveredBytes, decodeRecordHeader, payloadBytes } from '../segments/record-format.js';
import type { RecordHeader } from '../segments/record-format.js';
import { SEGMENT_HEADER_BYTES } from '../segments/segment-format.js';
import type { Segment, SegmentLog } from '../segments/segment-log.js';

/** Most records of one batch: the pairwise search for overlaps takes under 10 microseconds. */
export const BATCH_RECORDS_MAX = 128;
/** Most bytes of old data read for one batch: about a millisecond of copying. */
export const BATCH_OLD_BYTES_MAX = 1024 * 1024;
/**
 * Most bytes of DO read for one batch: 63 writes of 4 KiB, about half a millisecond of work in all.
 */
export const BATCH_WINDOW_BYTES = 256 * 1024;

/** A record, or a part of a long one. */
export interface Piece {
  readonly header: RecordHeader;
  /** Range of the volume that this piece overwrites. */
  readonly offset: number;
  readonly length: number;
  /** What to write; undefined for zeroes, and for records that write nothing. */
  readonly data: Buffer | undefined;
  /** Whether it is the record's last piece. */
  readonly last: boolean;
  /** Whether the range and the blocks it lies in were never written: they need not be read. */
  readonly oldIsZero: boolean;
}

/** A long record of which a part is applied. */
export interface PartialRecord {
  readonly header: RecordHeader;
  /** Bytes of the volume applied. */
  readonly done: number;
  /** Checksum of the payload so far; undefined if the whole payload was checked at opening. */
  readonly crc: number | undefined;
}

/** Where the next batch begins: at a record, or within it. */
export interface Cursor {
  /** Undefined: the log's first segment, whichever that is then. */
  readonly segment: Segment | undefined;
  readonly fileOffset: number;
  readonly partial: PartialRecord | undefined;
}

export const cursorAtStart: Cursor = { segment: undefined, fileOffset: SEGMENT_HEADER_BYTES, partial: undefined };

export interface Batch {
  readonly pieces: readonly Piece[];
  readonly next: Cursor;
  /** Bytes of DO of the records whose last piece is in the batch. */
  readonly doBytes: number;
}

export interface BatchSource {
  readonly files: Files;
  readonly log: SegmentLog;
  /** Memory for the records read; pieces point into it. */
  readonly window: Buffer;
  /** The last position to read. */
  readonly upTo: number;
  /** End of the replica image: no block after it was ever written. */
  readonly replicaEnd: number;
}

/**
 * Reads the next batch; it is empty if no record is left up to the limit.
 * @throws JournalError CORRUPT
 */
export function readBatch(source: BatchSource, cursor: Cursor): Batch {
  const { log } = source;
  let at = cursor;
  let segment = cursor.segment ?? log.first;
  if (segment !== undefined && at.fileOffset >= segment.bytes && log.after(segment) !== undefined) {
    segment = log.after(segment);
    at = cursorAtStart;
  }
  if (segment === undefined || at.fileOffset >= segment.bytes) return { pieces: [], next: cursor, doBytes: 0 };
  const builder = new BatchBuilder(source, segment, at.fileOffset);
  if (at.partial === undefined) builder.takeRecords();
  else builder.takePart(at.partial);
  return builder.finish();
}

class BatchBuilder {
  readonly #source: BatchSource;
  readonly #segment: Segment;
  readonly #pieces: Piece[] = [];
  #fileOffset: number;
  #partial: PartialRecord | undefined;
  #oldBytes = 0;
  #writtenEnd: number;
  #doBytes = 0;

  constructor(source: BatchSource, segment: Segment, fileOffset: number) {
    this.#source = source;
    this.#segment = segment;
    this.#fileOffset = fileOffset;
    this.#writtenEnd = source.replicaEnd;
  }

  finish(): Batch {
    return {
      pieces: this.#pieces,
      next: { segment: this.#segment, fileOffset: this.#fileOffset, partial: this.#partial },
      doBytes: this.#doBytes,
    };
  }

  takeRecords(): void {
    const window = this.#load(this.#fileOffset, this.#segment.bytes - this.#fileOffset);
    let at = 0;
    while (at + RECORD_HEADER_BYTES <= window.length && this.#pieces.length < BATCH_RECORDS_MAX) {
      // Records after the limit may be damaged.
      if (this.#pieces.at(-1)?.header.position === this.#source.upTo) return;
      const header = decodeRecordHeader(window, at);
      if (header === undefined) throw this.#corrupt('damaged record header', undefined);
      if (header.position > this.#source.upTo) return;
      const payloadAt = at + RECORD_HEADER_BYTES;
      const payload = window.subarray(payloadAt, payloadAt + payloadBytes(header));
      if (payload.length < payloadBytes(header) && this.#pieces.length > 0) return;
      if (!this.#take(header, 0, payload, 0)) return;
      at = payloadAt + payload.length;
    }
  }

  takePart(partial: PartialRecord): void {
    const { header, done, crc } = partial;
    const rest = payloadBytes(header) - done;
    const payload = rest > 0 ? this.#load(this.#fileOffset + RECORD_HEADER_BYTES + done, rest) : Buffer.alloc(0);
    this.#take(header, done, payload, crc);
  }

  /**
   * Takes as much as fits of a record of which `done` bytes are applied. False if the batch ends
   * here.
   */
  #take(header: RecordHeader, done: number, payload: Buffer, crcBefore: number | undefined): boolean {
    const covered = coveredBytes(header);
    const offset = header.offset + done;
    const oldIsZero = covered === 0 || offset >= this.#writtenEnd;
    const room = BATCH_OLD_BYTES_MAX - this.#oldBytes;
    let length = covered === 0 ? 0 : header.kind === 'write' ? payload.length : header.length - done;
    if (!oldIsZero) {
      if (header.kind === 'write' && length > room) return false;
      if (header.kind === 'zeroes') length = Math.min(length, this.#writtenEnd - offset, room);
      if (length === 0) return false;
      this.#oldBytes += length;
    }
    const last = done + length === covered;
    const crc = crcBefore === undefined ? undefined : crc32(payload, crcBefore);
    if (last && crc !== undefined && crc !== header.payloadCrc) throw this.#corrupt('damaged payload', header);
    const data = header.kind === 'write' ? payload : undefined;
    this.#pieces.push({ header, offset, length, data, last, oldIsZero });
    if (data !== undefined) this.#writtenEnd = Math.max(this.#writtenEnd, blockCeiling(offset + length));
    if (last) {
      const recordBytes = RECORD_HEADER_BYTES + payloadBytes(header);
      this.#fileOffset += recordBytes;
      this.#doBytes += recordBytes;
    } else {
      this.#partial = { header, done: done + length, crc };
    }
    return last;
  }

  #load(at: number, bytes: number): Buffer {
    const window = this.#source.window.subarray(0, Math.min(bytes, this.#source.window.length));
    if (this.#source.files.read(this.#segment.path, window, at) < window.length) {
      throw this.#corrupt('missing end of segment', undefined);
    }
    return window;
  }

  #corrupt(what: string, header: RecordHeader | undefined): Error {
    const before = this.#pieces.at(-1)?.header.position ?? this.#segment.firstPosition - 1;
    const position = header?.position ?? before + 1;
    return corrupt(what, { file: this.#segment.path, offset: this.#fileOffset, position });
  }
}
