// Names and 64-byte headers of segment files: each says which positions it begins with, so that a list of
// headers is the map of a whole lineage.
import { crc32 } from 'node:zlib';
import { readSafeInteger, writeSafeInteger } from './record-format.js';

export const SEGMENT_HEADER_BYTES = 64;

export type SegmentKind = 'do' | 'undo';

export interface SegmentHeader {
  readonly kind: SegmentKind;
  /** Written with fdatasync after each group. */
  readonly synced: boolean;
  /** Its first record goes on with the position that ended the segment before. */
  readonly continued: boolean;
  readonly sequence: number;
  readonly firstPosition: number;
}

const MAGIC = 'VMJRNL01';
const kindNumbers = { do: 1, undo: 2 } as const;
const SYNCED_FLAG = 1;
const CONTINUED_FLAG = 2;
const SEQUENCE_DIGITS = 10;
const namePattern = /^(do|undo)-(\d{10})\.seg$/;

const at = { magic: 0, crc: 8, kind: 12, flags: 13, sequence: 16, firstPosition: 24 } as const;
const CHECKED_FROM = at.kind;

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.write(MAGIC, at.magic, 'latin1');
  bytes[at.kind] = kindNumbers[header.kind];
  bytes[at.flags] = (header.synced ? SYNCED_FLAG : 0) | (header.continued ? CONTINUED_FLAG : 0);
  writeSafeInteger(bytes, header.sequence, at.sequence);
  writeSafeInteger(bytes, header.firstPosition, at.firstPosition);
  bytes.writeUInt32LE(crc32(bytes.subarray(CHECKED_FROM)), at.crc);
  return bytes;
}

export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.toString('latin1', at.magic, at.magic + MAGIC.length) !== MAGIC) return undefined;
  if (bytes.readUInt32LE(at.crc) !== crc32(bytes.subarray(CHECKED_FROM, SEGMENT_HEADER_BYTES))) return undefined;
  const flags = bytes[at.flags] ?? 0;
  return {
    kind: bytes[at.kind] === kindNumbers.do ? 'do' : 'undo',
    synced: (flags & SYNCED_FLAG) !== 0,
    continued: (flags & CONTINUED_FLAG) !== 0,
    sequence: readSafeInteger(bytes, at.sequence),
    firstPosition: readSafeInteger(bytes, at.firstPosition),
  };
}

export function segmentName(kind: SegmentKind, sequence: number): string {
  return `${kind}-${String(sequence).padStart(SEQUENCE_DIGITS, '0')}.seg`;
}

/** What a file's name says, or undefined for a file of another kind. */
export function parseSegmentName(name: string): { readonly kind: SegmentKind; readonly sequence: number } | undefined {
  const match = namePattern.exec(name);
  if (match === null) return undefined;
  return { kind: match[1] === 'do' ? 'do' : 'undo', sequence: Number(match[2]) };
}
