// The 64-byte header of every DO and UNDO record. One scanner reads both.
import { crc32 } from 'node:zlib';

export const RECORD_HEADER_BYTES = 64;

/**
 * Kinds of records. DO has write, zeroes, initBegin and initEnd. UNDO has:
 * - oldData: what a record overwrote.
 * - oldZeroes: the same, all zero, so without payload.
 * - oldDamaged: the same, but the bytes had failed their check, so that nobody may read them.
 * - untouched: the record overwrote nothing.
 * - edgeSums: checksums, as they are afterwards, of replica blocks that were overwritten in part.
 *   Until UNDO is consolidated, every position has at least one UNDO record other than edgeSums.
 */
const kindNumbers = {
  write: 1,
  zeroes: 2,
  initBegin: 3,
  initEnd: 4,
  oldData: 16,
  oldZeroes: 17,
  untouched: 18,
  oldDamaged: 19,
  edgeSums: 20,
} as const;

export type RecordKind = keyof typeof kindNumbers;

const kindOfNumber = new Map<number, RecordKind>([
  [kindNumbers.write, 'write'],
  [kindNumbers.zeroes, 'zeroes'],
  [kindNumbers.initBegin, 'initBegin'],
  [kindNumbers.initEnd, 'initEnd'],
  [kindNumbers.oldData, 'oldData'],
  [kindNumbers.oldZeroes, 'oldZeroes'],
  [kindNumbers.untouched, 'untouched'],
  [kindNumbers.oldDamaged, 'oldDamaged'],
  [kindNumbers.edgeSums, 'edgeSums'],
]);

export interface RecordHeader {
  readonly kind: RecordKind;
  /** Whether it is the position's last record: long UNDO is split into several. */
  readonly last: boolean;
  /**
   * Bytes from the start of its group (the records of one write call): tells which records were
   * synced before it.
   */
  readonly groupDistance: number;
  readonly position: number;
  readonly session: number;
  readonly n: number;
  readonly epoch: number;
  readonly timeMs: number;
  /** Byte of the volume; for initBegin the time the gap began, milliseconds since 1970. */
  readonly offset: number;
  /** Bytes of the volume; for initBegin and edgeSums the bytes of the payload. */
  readonly length: number;
  readonly payloadCrc: number;
}

/** Bytes of the payload, which follows the header. */
export function payloadBytes(header: RecordHeader): number {
  switch (header.kind) {
    case 'write':
    case 'initBegin':
    case 'oldData':
    case 'edgeSums':
      return header.length;
    case 'zeroes':
    case 'initEnd':
    case 'oldZeroes':
    case 'oldDamaged':
    case 'untouched':
      return 0;
  }
}

/** Bytes of the volume that the record covers. */
export function coveredBytes(header: RecordHeader): number {
  switch (header.kind) {
    case 'write':
    case 'zeroes':
    case 'oldData':
    case 'oldZeroes':
    case 'oldDamaged':
      return header.length;
    case 'initBegin':
    case 'initEnd':
    case 'untouched':
    case 'edgeSums':
      return 0;
  }
}

const TWO_TO_32 = 2 ** 32;
const LAST_FLAG = 1;

const at = {
  headerCrc: 0,
  payloadCrc: 4,
  kind: 8,
  flags: 9,
  reserved: 10,
  groupDistance: 12,
  position: 16,
  n: 24,
  offset: 32,
  length: 40,
  timeMs: 48,
  session: 56,
  epoch: 60,
} as const;

export function encodeRecordHeader(header: RecordHeader, into: Buffer, start: number): void {
  into.writeUInt32LE(header.payloadCrc, start + at.payloadCrc);
  into[start + at.kind] = kindNumbers[header.kind];
  into[start + at.flags] = header.last ? LAST_FLAG : 0;
  into.writeUInt16LE(0, start + at.reserved);
  into.writeUInt32LE(header.groupDistance, start + at.groupDistance);
  writeSafeInteger(into, header.position, start + at.position);
  writeSafeInteger(into, header.n, start + at.n);
  writeSafeInteger(into, header.offset, start + at.offset);
  writeSafeInteger(into, header.length, start + at.length);
  writeSafeInteger(into, header.timeMs, start + at.timeMs);
  into.writeUInt32LE(header.session, start + at.session);
  into.writeUInt32LE(header.epoch, start + at.epoch);
  into.writeUInt32LE(headerCrc(into, start), start + at.headerCrc);
}

/** The header at `start`; undefined if the bytes there are none. */
export function decodeRecordHeader(from: Buffer, start: number): RecordHeader | undefined {
  const kind = kindOfNumber.get(from[start + at.kind] ?? 0);
  if (kind === undefined || from.readUInt16LE(start + at.reserved) !== 0) return undefined;
  if (from.readUInt32LE(start + at.headerCrc) !== headerCrc(from, start)) return undefined;
  return {
    kind,
    last: from[start + at.flags] === LAST_FLAG,
    groupDistance: from.readUInt32LE(start + at.groupDistance),
    position: readSafeInteger(from, start + at.position),
    session: from.readUInt32LE(start + at.session),
    n: readSafeInteger(from, start + at.n),
    epoch: from.readUInt32LE(start + at.epoch),
    timeMs: readSafeInteger(from, start + at.timeMs),
    offset: readSafeInteger(from, start + at.offset),
    length: readSafeInteger(from, start + at.length),
    payloadCrc: from.readUInt32LE(start + at.payloadCrc),
  };
}

export function writeSafeInteger(into: Buffer, value: number, start: number): void {
  into.writeUInt32LE(value % TWO_TO_32, start);
  into.writeUInt32LE(Math.floor(value / TWO_TO_32), start + 4);
}

export function readSafeInteger(from: Buffer, start: number): number {
  return from.readUInt32LE(start) + from.readUInt32LE(start + 4) * TWO_TO_32;
}

function headerCrc(buffer: Buffer, start: number): number {
  return crc32(buffer.subarray(start + at.payloadCrc, start + RECORD_HEADER_BYTES));
}
