// Works out what a batch overwrites: the UNDO of each piece, and the checksums of blocks that it
// overwrites in part.
import { BATCH_OLD_BYTES_MAX, BATCH_RECORDS_MAX } from '../do/batch.js';
import type { Piece } from '../do/batch.js';
import { BLOCK_BYTES, blockOf, blockStart } from '../ranges/blocks.js';
import type { EdgeSum } from '../segments/edge-sums.js';
import { crcOfSum, sumOf, sumOfCrc } from './replica-sums.js';
import type { DamagedBlock, Replica } from './replica.js';
import { isZero, zeroRuns } from '../ranges/zeroes.js';

/**
 * Most bytes of old data in one UNDO record: an image checks a whole record to serve any part of
 * it.
 */
const OLD_DATA_BYTES_MAX = 128 * 1024;

/**
 * One UNDO record's range of the volume: its old bytes, or that they were zero, or that they failed
 * their check. Ranges of one piece meet only at block boundaries, so that redoing some of them
 * leaves no block in part.
 */
export type OldRange = { readonly offset: number; readonly length: number } & (
  | {
      readonly kind: 'oldData';
      readonly data: Buffer;
      /** CRC-32 of `data`, if known from the check of its block. */
      readonly crc?: number;
    }
  | { readonly kind: 'oldZeroes' | 'oldDamaged' }
);

/** A piece with the UNDO of all it overwrites, in order of offset. */
export interface Change {
  readonly piece: Piece;
  readonly old: readonly OldRange[];
  /** Checksums, as they are afterwards, of blocks that the piece overwrites in part. */
  readonly edges: readonly EdgeSum[];
  /** Blocks that fail their check before the piece is written. */
  readonly damaged: readonly DamagedBlock[];
}

const noEdges: readonly EdgeSum[] = [];
const noDamage: readonly DamagedBlock[] = [];

/** A buffer for the old data of one batch, with each piece widened to whole blocks. */
export function oldDataBuffer(): Buffer {
  return Buffer.allocUnsafeSlow(BATCH_OLD_BYTES_MAX + BATCH_RECORDS_MAX * 2 * BLOCK_BYTES);
}

/** Reads the old data of a batch into `buffer` and checks it. Writes nothing. */
export function readChanges(replica: Replica, pieces: readonly Piece[], buffer: Buffer): readonly Change[] {
  let used = 0;
  return pieces.map((piece, index) => {
    const { offset, length } = piece;
    if (length === 0) return { piece, old: [], edges: noEdges, damaged: noDamage };
    if (piece.oldIsZero) {
      const edges = edgeSums(replica, piece, undefined, noDamage);
      return { piece, old: [{ kind: 'oldZeroes' as const, offset, length }], edges, damaged: noDamage };
    }
    const wide = replica.widened(offset, offset + length);
    const bytes = buffer.subarray(used, used + wide.to - wide.from);
    used += bytes.length;
    let { damaged, sum } = replica.read(bytes, wide.from);
    for (let before = 0; before < index; before += 1) {
      const earlier = pieces[before];
      if (earlier === undefined || !overwrite(bytes, wide.from, earlier)) continue;
      sum = undefined;
      if (damaged.length > 0) damaged = damaged.filter(({ block }) => !coversWhole(replica, earlier, block));
    }
    const old = bytes.subarray(offset - wide.from, offset - wide.from + length);
    const edges = edgeSums(replica, piece, bytes, damaged);
    const crc = sum === undefined || old.length !== bytes.length ? undefined : crcOfSum(sum);
    return { piece, old: oldRanges(old, offset, damaged, crc), edges, damaged };
  });
}

/** Writes a batch to the replica image. Its UNDO must be written before. */
export function applyChanges(replica: Replica, changes: readonly Change[]): void {
  for (const change of changes) {
    try {
      applyChange(replica, change);
    } catch (error) {
      putBack(replica, change);
      throw error;
    }
  }
  replica.storeSums();
}

function applyChange(replica: Replica, { piece, old, edges }: Change): void {
  if (piece.data !== undefined && !isZero(piece.data)) {
    replica.write(piece.data, piece.offset, isOneBlock(piece) ? sumsOfBlock(piece) : edges);
    return;
  }
  for (const range of old) if (range.kind !== 'oldZeroes') replica.writeZeroes(range.offset, range.length);
  replica.writeSums(edges);
}

/**
 * Puts old bytes back after a full disk took only a part of a piece. Until a retry writes the whole
 * piece, the bytes must match the checksums of their blocks, because older images read the other
 * bytes of these blocks. It puts back what the disk allows; the retry mends the rest.
 */
function putBack(replica: Replica, { old }: Change): void {
  try {
    for (const range of old) {
      if (range.kind === 'oldData') replica.putBack(range.data, range.offset);
      else if (range.kind === 'oldZeroes') replica.putBackZeroes(range.offset, range.length);
    }
  } catch {
    // The failure that led here is the one to report.
  }
}

/** A copy of the change with buffers of its own: the next batch reuses the batch's buffers. */
export function kept(change: Change): Change {
  const { data } = change.piece;
  const piece = data === undefined ? change.piece : { ...change.piece, data: Buffer.from(data) };
  const old = change.old.map((range) =>
    range.kind === 'oldData' ? { ...range, data: Buffer.from(range.data) } : range,
  );
  return { ...change, piece, old };
}

/**
 * Whether the piece is one whole block, the most usual record. Its payload's checksum, checked when
 * it was read, is the block's checksum too.
 */
function isOneBlock({ header, offset, length }: Piece): boolean {
  return length === BLOCK_BYTES && header.length === BLOCK_BYTES && offset % BLOCK_BYTES === 0;
}

function sumsOfBlock({ header, offset }: Piece): readonly EdgeSum[] {
  return [{ block: blockOf(offset), sum: sumOfCrc(header.payloadCrc) }];
}

/**
 * Overwrites `old` with an earlier piece of the same batch, which the replica image doesn't hold
 * yet. Tells whether the two overlap.
 */
function overwrite(old: Buffer, offset: number, earlier: Piece): boolean {
  const from = Math.max(offset, earlier.offset);
  const to = Math.min(offset + old.length, earlier.offset + earlier.length);
  if (from >= to) return false;
  if (earlier.data === undefined) old.fill(0, from - offset, to - offset);
  else earlier.data.copy(old, from - offset, from - earlier.offset, to - earlier.offset);
  return true;
}

function coversWhole(replica: Replica, piece: Piece, block: number): boolean {
  const start = block * BLOCK_BYTES;
  const end = Math.min(start + BLOCK_BYTES, replica.sizeBytes);
  return piece.offset <= start && piece.offset + piece.length >= end;
}

/**
 * Checksums of the first and last block if the piece overwrites them in part. `wide` is the old
 * data of the piece's blocks; undefined if zero.
 */
function edgeSums(
  replica: Replica,
  piece: Piece,
  wide: Buffer | undefined,
  damaged: readonly DamagedBlock[],
): readonly EdgeSum[] {
  const end = piece.offset + piece.length;
  const first = blockOf(piece.offset);
  const last = blockOf(end - 1);
  const firstPartly = !coversWhole(replica, piece, first);
  const lastPartly = last !== first && !coversWhole(replica, piece, last);
  if (!firstPartly && !lastPartly) return noEdges;
  const wideStart = blockStart(piece.offset);
  const edge = (block: number): EdgeSum => {
    const start = block * BLOCK_BYTES;
    const bytes = Buffer.alloc(Math.min(BLOCK_BYTES, replica.sizeBytes - start));
    wide?.copy(bytes, 0, start - wideStart);
    overwrite(bytes, start, piece);
    // A damaged block stays damaged: its other bytes are as wrong as before, so the checksum is
    // too.
    const difference = damaged.find((one) => one.block === block)?.difference ?? 0;
    return { block, sum: (sumOf(bytes) ^ difference) >>> 0 };
  };
  return [...(firstPartly ? [edge(first)] : []), ...(lastPartly ? [edge(last)] : [])];
}

/** @param crc CRC-32 of `old`, if known */
function oldRanges(
  old: Buffer,
  offset: number,
  damaged: readonly DamagedBlock[],
  crc: number | undefined,
): readonly OldRange[] {
  const ranges: OldRange[] = [];
  let at = 0;
  for (const { block } of damaged) {
    const from = Math.max(0, block * BLOCK_BYTES - offset);
    const to = Math.min(old.length, (block + 1) * BLOCK_BYTES - offset);
    addSound(ranges, old.subarray(at, from), offset + at);
    ranges.push({ kind: 'oldDamaged', offset: offset + from, length: to - from });
    at = to;
  }
  addSound(ranges, old.subarray(at), offset + at, at === 0 ? crc : undefined);
  return ranges;
}

/** @param crc CRC-32 of `old`, if known */
function addSound(ranges: OldRange[], old: Buffer, offset: number, crc?: number): void {
  zeroRuns(old, offset, (from, to, zero) => {
    if (zero) {
      ranges.push({ kind: 'oldZeroes', offset: offset + from, length: to - from });
      return;
    }
    for (let start = from; start < to;) {
      const end = Math.min(to, blockStart(offset + start + OLD_DATA_BYTES_MAX) - offset);
      const data = old.subarray(start, end);
      const known = crc !== undefined && data.length === old.length ? { crc } : {};
      ranges.push({ kind: 'oldData', offset: offset + start, length: data.length, data, ...known });
      start = end;
    }
  });
}
