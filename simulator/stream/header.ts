// The 64-byte header of every frame, big-endian, with checksums of itself and of the payload after
// it.
import { crc32 } from 'node:zlib';
import { MoverError } from '../../contracts/errors.js';
import type { FrameType } from './frame.js';
import { PAYLOAD_BYTES_MAX } from './limits.js';

export const HEADER_BYTES = 64;

/** "VMS1": volume-mover stream, version 1. */
const MAGIC = 0x56_4d_53_31;
const TWO_TO_32 = 2 ** 32;

/** Byte offset of each field; bytes 5 to 7 are reserved and 0. */
const AT = {
  magic: 0,
  type: 4,
  handle: 8,
  payloadLength: 12,
  session: 16,
  n: 20,
  epoch: 28,
  timeMs: 32,
  offset: 40,
  length: 48,
  payloadCrc: 56,
  headerCrc: 60,
} as const;

/** The type numbers on the wire; a number never gets another meaning. */
export const TYPE_CODES = {
  hello: 1,
  attach: 2,
  attached: 3,
  detach: 4,
  refused: 5,
  write: 6,
  zeroes: 7,
  initBegin: 8,
  initEnd: 9,
  receipt: 10,
  pause: 11,
  resume: 12,
  ping: 13,
  pong: 14,
  credit: 15,
} as const satisfies Record<FrameType, number>;

/** A header's fields beside type and checksums; a field that the frame's type doesn't use is 0. */
export interface HeaderFields {
  readonly handle: number;
  readonly session: number;
  readonly n: number;
  readonly epoch: number;
  readonly timeMs: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * The header of a frame with this payload.
 * @throws RangeError for a number that doesn't fit its field
 */
export function encodeHeader(fields: { readonly type: FrameType } & Partial<HeaderFields>, payload: Buffer): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32BE(MAGIC, AT.magic);
  // Writes the type's byte and the three reserved bytes after it.
  header.writeUInt32BE(TYPE_CODES[fields.type] * 2 ** 24, AT.type);
  header.writeUInt32BE(fields.handle ?? 0, AT.handle);
  header.writeUInt32BE(payload.length, AT.payloadLength);
  header.writeUInt32BE(fields.session ?? 0, AT.session);
  writeUint64(header, fields.n ?? 0, AT.n);
  header.writeUInt32BE(fields.epoch ?? 0, AT.epoch);
  header.writeDoubleBE(fields.timeMs ?? 0, AT.timeMs);
  writeUint64(header, fields.offset ?? 0, AT.offset);
  writeUint64(header, fields.length ?? 0, AT.length);
  header.writeUInt32BE(payload.length === 0 ? 0 : crc32(payload), AT.payloadCrc);
  seal(header);
  return header;
}

/** A copy of a valid header under another handle. The payload's checksum is unchanged. */
export function withHandle(header: Buffer, handle: number): Buffer {
  const copy = Buffer.allocUnsafe(HEADER_BYTES);
  header.copy(copy);
  copy.writeUInt32BE(handle, AT.handle);
  seal(copy);
  return copy;
}

/**
 * Verifies a received header. @returns the length of its payload, bytes
 * @throws MoverError CORRUPT when it isn't a header or was altered; TOO_LARGE for a payload beyond
 * the limit
 */
export function checkHeader(header: Buffer): number {
  if (header.readUInt32BE(AT.magic) !== MAGIC)
    throw new MoverError('CORRUPT', 'The stream is out of step: no frame starts here.');
  if (crc32(header.subarray(0, AT.headerCrc)) !== header.readUInt32BE(AT.headerCrc)) {
    throw new MoverError('CORRUPT', 'The header of a frame failed its checksum.');
  }
  const payloadLength = header.readUInt32BE(AT.payloadLength);
  if (payloadLength > PAYLOAD_BYTES_MAX) {
    throw new MoverError(
      'TOO_LARGE',
      `A frame's payload of ${payloadLength} bytes is beyond the limit of ${PAYLOAD_BYTES_MAX}.`,
    );
  }
  return payloadLength;
}

/** The payload's checksum, as the sender computed it: CRC-32, 0 for an empty payload. */
export function payloadCrcOf(header: Buffer): number {
  return header.readUInt32BE(AT.payloadCrc);
}

/** Verifies a payload. @throws MoverError CORRUPT when it doesn't match the header */
export function checkPayload(header: Buffer, payload: Buffer): void {
  if ((payload.length === 0 ? 0 : crc32(payload)) === payloadCrcOf(header)) return;
  throw new MoverError('CORRUPT', 'The payload of a frame failed its checksum.');
}

/** The type's number; it may be missing from TYPE_CODES. */
export function typeCodeOf(header: Buffer): number {
  return header.readUInt8(AT.type);
}

/**
 * Decodes a header's fields.
 * @throws MoverError INVALID_REQUEST for a number that isn't a safe integer, or a time that isn't
 * finite
 */
export function decodeHeader(header: Buffer): HeaderFields {
  const timeMs = header.readDoubleBE(AT.timeMs);
  if (!(timeMs >= 0 && timeMs < Infinity))
    throw new MoverError('INVALID_REQUEST', `A frame's time of ${timeMs} ms is not valid.`);
  return {
    handle: header.readUInt32BE(AT.handle),
    session: header.readUInt32BE(AT.session),
    n: readUint64(header, AT.n),
    epoch: header.readUInt32BE(AT.epoch),
    timeMs,
    offset: readUint64(header, AT.offset),
    length: readUint64(header, AT.length),
  };
}

function seal(header: Buffer): void {
  header.writeUInt32BE(crc32(header.subarray(0, AT.headerCrc)), AT.headerCrc);
}

function writeUint64(header: Buffer, value: number, at: number): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`${value} does not fit a field for whole numbers`);
  header.writeUInt32BE(Math.floor(value / TWO_TO_32), at);
  header.writeUInt32BE(value % TWO_TO_32, at + 4);
}

function readUint64(header: Buffer, at: number): number {
  const value = header.readUInt32BE(at) * TWO_TO_32 + header.readUInt32BE(at + 4);
  if (Number.isSafeInteger(value)) return value;
  throw new MoverError('INVALID_REQUEST', 'A frame has a number beyond 2^53 - 1.');
}
