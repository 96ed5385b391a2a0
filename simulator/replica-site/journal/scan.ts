// Reads a segment record by record: at recovery to check everything, for an image to list what changed.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { Files } from './files.js';
import { RECORD_HEADER_BYTES, decodeRecordHeader, payloadBytes } from './record-format.js';
import type { RecordHeader } from './record-format.js';

/** Bytes read at once: long enough for the disk, short enough for the event loop, which gets its turn after each. */
const WINDOW_BYTES = 1024 * 1024;

export interface ScanRange {
  readonly from: number;
  readonly to: number;
  /** Check payloads too, not only headers. */
  readonly payloads: boolean;
  /** Bytes read at once; default {@link WINDOW_BYTES}. Less if `visit` takes long. */
  readonly windowBytes?: number;
}

/**
 * Where the scan ended: at the range's end without a fault, or at the first record that is wrong.
 * `short`: the range ends within the record; `header`, `payload`: they fail their checksum.
 */
export interface ScanEnd {
  readonly at: number;
  readonly fault: 'short' | 'header' | 'payload' | undefined;
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
      if (!window.load(at, RECORD_HEADER_BYTES)) return { at, fault: 'short' };
    }
    const header = decodeRecordHeader(window.bytes(at, RECORD_HEADER_BYTES), 0);
    if (header === undefined) return { at, fault: 'header' };
    const length = payloadBytes(header);
    const payloadAt = at + RECORD_HEADER_BYTES;
    if (payloadAt + length > range.to) return { at, fault: 'short' };
    if (range.payloads && length > 0) {
      if (!window.holds(payloadAt, length)) {
        await nextTurn();
        if (!window.load(payloadAt, length)) return { at, fault: 'short' };
      }
      if (crc32(window.bytes(payloadAt, length)) !== header.payloadCrc) return { at, fault: 'payload' };
    }
    visit(header, at);
    at = payloadAt + length;
  }
  return { at, fault: undefined };
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

  /** False if the file is shorter than it should be. */
  load(at: number, length: number): boolean {
    const buffer = Buffer.allocUnsafe(Math.max(length, Math.min(this.#windowBytes, this.#end - at)));
    const count = this.#files.read(this.#path, buffer, at);
    this.#buffer = buffer.subarray(0, count);
    this.#start = at;
    return count >= length;
  }

  bytes(at: number, length: number): Buffer {
    return this.#buffer.subarray(at - this.#start, at - this.#start + length);
  }
}
