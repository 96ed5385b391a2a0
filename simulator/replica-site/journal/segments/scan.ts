// Reads a segment record by record: recovery checks everything, an image lists what changed.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { Files } from '../terms/files.js';
import { RECORD_HEADER_BYTES, decodeRecordHeader, payloadBytes } from './record-format.js';
import type { RecordHeader } from './record-format.js';
import { unlessGivenUp } from '../files/unreadable.js';

/**
 * Bytes read at once: enough for the disk, few enough for the event loop, which runs after each.
 */
const WINDOW_BYTES = 1024 * 1024;

export interface ScanRange {
  readonly from: number;
  readonly to: number;
  /** Whether payloads are checked too, not only headers. */
  readonly payloads: boolean;
  /** Bytes read at once; default {@link WINDOW_BYTES}. Set fewer if `visit` takes long. */
  readonly windowBytes?: number;
  /**
   * Called for a record whose header is sound and payload is not; the scan goes on. Without it the
   * scan ends there.
   */
  readonly onBadPayload?: (header: RecordHeader, fileOffset: number) => void;
}

/**
 * Where the scan ended: at the range's end without a fault, or at the first bad record. `short`:
 * the range ends within the record; `header`, `payload`: they fail their checksum; `unreadable`:
 * the disk refused to read it.
 */
export interface ScanEnd {
  readonly at: number;
  readonly fault: 'short' | 'header' | 'payload' | 'unreadable' | undefined;
}

/** Calls `visit` for each sound record in order. */
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

/** The place after damage from which records are sound again. */
export interface SoundRest {
  readonly at: number;
  /** Position of the first record there. */
  readonly position: number;
}

/**
 * Finds the first place after damage from which every record to the range's end is sound, in order,
 * and of a position from `first` to `last`. A guest's data may look like a record, so only an
 * unbroken row up to the end counts.
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

/** The part of the file that is in memory. */
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

  /** Loads bytes from `at` on; `length` of them must be there. Returns the fault, if any. */
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
