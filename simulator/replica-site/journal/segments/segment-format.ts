// Names and 64-byte headers of segment files. A header says the first position, so the headers are
// the map of a whole lineage.
import { crc32 } from 'node:zlib';
import { readSafeInteger, writeSafeInteger } from './record-format.js';
import type { Signature } from '../terms/retained-positions.js';

export const SEGMENT_HEADER_BYTES = 64;

export type SegmentKind = 'do' | 'undo';

export interface SegmentHeader {
  readonly kind: SegmentKind;
  /** Whether each group was followed by fdatasync. */
  readonly synced: boolean;
  /** Whether its first record continues the last position of the segment before it. */
  readonly continued: boolean;
  readonly sequence: number;
  readonly firstPosition: number;
  /** What a rewrite knew; undefined if the segment was never rewritten. */
  readonly consolidated: Consolidated | undefined;
}

/** Facts about a segment that consolidation has rewritten whole, with fewer records. */
export interface Consolidated {
  /** How many segments it replaces: their sequence numbers begin with its own. */
  readonly spans: number;
  readonly lastPosition: number;
  /** Bytes of the whole file. */
  readonly bytes: number;
  readonly signature: Signature;
}

const MAGIC = 'VMJRNL01';
const kindNumbers = { do: 1, undo: 2 } as const;
const SYNCED_FLAG = 1;
const CONTINUED_FLAG = 2;
const CONSOLIDATED_FLAG = 4;
const SEQUENCE_DIGITS = 10;
const namePattern = /^(do|undo)-(\d{10})(?:\.g(\d+))?\.seg$/;
const NEW_SUFFIX = '.new';

const at = {
  magic: 0,
  crc: 8,
  kind: 12,
  flags: 13,
  sequence: 16,
  firstPosition: 24,
  lastPosition: 32,
  bytes: 40,
  spans: 44,
  intervalStart: 48,
  positionsWithin: 56,
} as const;
const CHECKED_FROM = at.kind;

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.write(MAGIC, at.magic, 'latin1');
  bytes[at.kind] = kindNumbers[header.kind];
  bytes[at.flags] =
    (header.synced ? SYNCED_FLAG : 0) |
    (header.continued ? CONTINUED_FLAG : 0) |
    (header.consolidated === undefined ? 0 : CONSOLIDATED_FLAG);
  if (header.consolidated !== undefined) {
    const { spans, lastPosition, bytes: fileBytes, signature } = header.consolidated;
    bytes.writeUInt32LE(spans, at.spans);
    writeSafeInteger(bytes, lastPosition, at.lastPosition);
    bytes.writeUInt32LE(fileBytes, at.bytes);
    // Plus one, because it may be -1.
    writeSafeInteger(bytes, signature.intervalStart + 1, at.intervalStart);
    bytes.writeUInt32LE(signature.positionsWithin, at.positionsWithin);
  }
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
    consolidated: (flags & CONSOLIDATED_FLAG) === 0 ? undefined : decodeConsolidated(bytes),
  };
}

function decodeConsolidated(bytes: Buffer): Consolidated {
  return {
    spans: bytes.readUInt32LE(at.spans),
    lastPosition: readSafeInteger(bytes, at.lastPosition),
    bytes: bytes.readUInt32LE(at.bytes),
    signature: {
      intervalStart: readSafeInteger(bytes, at.intervalStart) - 1,
      positionsWithin: bytes.readUInt32LE(at.positionsWithin),
    },
  };
}

/** The name of a segment's file. Each rewrite gets the next generation. */
export function segmentName(kind: SegmentKind, sequence: number, generation = 0): string {
  const digits = String(sequence).padStart(SEQUENCE_DIGITS, '0');
  return generation === 0 ? `${kind}-${digits}.seg` : `${kind}-${digits}.g${generation}.seg`;
}

/** The name of a segment's file until it is whole. */
export function unfinishedName(segment: string): string {
  return segment + NEW_SUFFIX;
}

export function isUnfinishedName(name: string): boolean {
  return name.endsWith(NEW_SUFFIX) && parseSegmentName(name.slice(0, -NEW_SUFFIX.length)) !== undefined;
}

export interface SegmentName {
  readonly kind: SegmentKind;
  readonly sequence: number;
  readonly generation: number;
}

/** Parts of a segment file's name; undefined for other files. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const match = namePattern.exec(name);
  if (match === null) return undefined;
  return {
    kind: match[1] === 'do' ? 'do' : 'undo',
    sequence: Number(match[2]),
    generation: Number(match[3] ?? 0),
  };
}
