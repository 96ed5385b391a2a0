// Reads a segment record by record: at recovery to check everything, for an image to list what
// changed.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { Files } from '../terms/files.js';
import { RECORD_HEADER_BYTES, decodeRecordHeader, payloadBytes } from './record-format.js';
import type { RecordHeader } from './record-format.js';
import { unlessGivenUp } from '../files/unreadable.js';

/**
 * Bytes read at once: long enough for the disk, short enough for the event loop, which gets its
 * turn after each.
 */
const WINDOW_BYTES = 1024 * 1024;

export interface ScanRange {
  readonly from: number;
  readonly to: number;
  /** Check payloads too, not only headers. */
  readonly payloads: boolean;
  /** Bytes read at once; default {@link WINDOW_BYTES}. Less if `visit` takes long. */
  readonly windowBytes?: number;
  /** Called for a record whose payload alone is damaged, in place of ending there. */
  readonly onBadPayload?: (header: RecordHeader, fileOffset: number) => void;
}

/**
 * Where the scan ended: at the range's end without a fault, or at the first record that is wrong.
 * `short`: the range ends within the record; `header`, `payload`: they fail their checksum;
 * `unreadable`: the disk refused to read it.
 */
export interface ScanEnd {
  readonly at: number;
  readonly fault: 'short' | 'header' | 'payload' | 'unreadable' | undefined;
}

/** Calls `visit` for each good record in order. */
export async function scanRecords(
  files: Files,
  path: string,
  range: ScanRange,
  visit: (header: RecordHeader, fileOffset: number) => void,
): Promise<ScanEnd> {
  const window = new ScanWindow(files, path, range);
  let at = range.from;
  while (at < range.to) {
    if (range.to - at < RECORD_HEADER_BYTES) return { at, fault: 'short' };
    if (!window.holds(at, RECORD_HEADER_BYTES)) {
      await nextTurn();
      const fault = window.load(at, RECORD_HEADER_BYTES);
      if (fault !== undefined) return { at, fault };
    }
    const header = decodeRecordHeader(window.bytes(at, RECORD_HEADER_BYTES), 0);
    if (header === undefined) return { at, fault: 'header' };
    const length = payloadBytes(header);
    const payloadAt = at + RECORD_HEADER_BYTES;
    if (payloadAt + length > range.to) return { at, fault: 'short' };
    if (range.payloads && length > 0) {
      if (!window.holds(payloadAt, length)) {
        await nextTurn();
        const fault = window.load(payloadAt, length);
        if (fault !== undefined) return { at, fault };
      }
      if (crc32(window.bytes(payloadAt, length)) !== header.payloadCrc) {
        if (range.onBadPayload === undefined) return { at, fault: 'payload' };
        range.onBadPayload(header, at);
        at = payloadAt + length;
        continue;
      }
    }
    visit(header, at);
    at = payloadAt + length;
  }
  return { at, fault: undefined };
}

/** Where records can be read again. */
export interface SoundRest {
  readonly at: number;
  /** Of the first record there. */
  readonly position: number;
}

/**
 * Looks behind damage for the place from which every record to the range's end is sound, in order,
 * and at or before `lastPosition`. A guest's data may look like a record: only an unbroken row up
 * to the end is believed.
 */
export async function findSoundRest(
  files: Files,
  path: string,
  range: Pick<ScanRange, 'from' | 'to' | 'payloads'>,
  positions: { readonly first: number; readonly last: number },
): Promise<SoundRest | undefined> {
  const bytes = Buffer.alloc(Math.max(0, range.to - range.from));
  const count = unlessGivenUp(() => files.read(path, bytes, range.from)) ?? 0;
  for (let start = 1; start + RECORD_HEADER_BYTES <= count; start += 1) {
    const header = decodeRecordHeader(bytes, start);
    if (header === undefined || header.position < positions.first || header.position > positions.last) continue;
    const at = range.from + start;
    let position = header.position;
    let isInOrder = true;
    const end = await scanRecords(files, path, { ...range, from: at }, (next) => {
      isInOrder &&= next.position >= position && next.position <= positions.last;
      ({ position } = next);
    });
    if (end.fault === undefined && isInOrder) return { at, position: header.position };
  }
  return undefined;
}

/** The piece of the file that is in memory. */
class ScanWindow {
  readonly #files: Files;
  readonly #path: string;
  readonly #end: number;
  readonly #windowBytes: number;
  #buffer = Buffer.alloc(0);
  #start = 0;

  constructor(files: Files, path: string, { to, windowBytes = WINDOW_BYTES }: ScanRange) {
    this.#files = files;
    this.#path = path;
    this.#end = to;
    this.#windowBytes = windowBytes;
  }

  holds(at: number, length: number): boolean {
    return at >= this.#start && at + length <= this.#start + this.#buffer.length;
  }

  /** Tells what is wrong if the file is shorter than it should be, or can't be read. */
  load(at: number, length: number): 'short' | 'unreadable' | undefined {
    const buffer = Buffer.allocUnsafe(Math.max(length, Math.min(this.#windowBytes, this.#end - at)));
    const count = unlessGivenUp(() => this.#files.read(this.#path, buffer, at));
    this.#buffer = buffer.subarray(0, count ?? 0);
    this.#start = at;
    if (count === undefined) return 'unreadable';
    return count >= length ? undefined : 'short';
  }

  bytes(at: number, length: number): Buffer {
    return this.#buffer.subarray(at - this.#start, at - this.#start + length);
  }
}
