// Works out what a batch overwrites: the UNDO of each of its pieces.
import { BATCH_OLD_BYTES_MAX } from './batch.js';
import type { Piece } from './batch.js';
import type { Replica } from './replica.js';
import { isZero, zeroRuns } from './zeroes.js';

/** Bytes of old data in one UNDO record at most: an image checks a whole record to serve any part of it. */
const OLD_DATA_BYTES_MAX = 128 * 1024;

/** What one UNDO record keeps: old bytes of a range of the volume, undefined if they were zero. */
export interface OldRange {
  readonly offset: number;
  readonly length: number;
  readonly data: Buffer | undefined;
}

/** A piece with the UNDO of all it overwrites, in order of offset. */
export interface Change {
  readonly piece: Piece;
  readonly old: readonly OldRange[];
}

/** Memory for the old data of one batch. */
export function oldDataBuffer(): Buffer {
  return Buffer.allocUnsafeSlow(BATCH_OLD_BYTES_MAX);
}

/** Reads the old data of a batch into `buffer`; nothing is written yet. */
export function readChanges(replica: Replica, pieces: readonly Piece[], buffer: Buffer): readonly Change[] {
  let used = 0;
  return pieces.map((piece, index) => {
    if (piece.length === 0) return { piece, old: [] };
    if (piece.oldIsZero) return { piece, old: [{ offset: piece.offset, length: piece.length, data: undefined }] };
    const old = buffer.subarray(used, used + piece.length);
    used += piece.length;
    replica.read(old, piece.offset);
    for (let before = 0; before < index; before += 1) {
      const earlier = pieces[before];
      if (earlier !== undefined) overwrite(old, piece.offset, earlier);
    }
    return { piece, old: oldRanges(old, piece.offset) };
  });
}

/** Brings a batch into the replica image; its UNDO must be written before. */
export function applyChanges(replica: Replica, changes: readonly Change[]): void {
  for (const { piece, old } of changes) {
    if (piece.data !== undefined && !isZero(piece.data)) {
      replica.write(piece.data, piece.offset);
      continue;
    }
    for (const range of old) if (range.data !== undefined) replica.writeZeroes(range.offset, range.length);
  }
}

/** Earlier pieces of the same batch aren't in the replica image yet when it is read. */
function overwrite(old: Buffer, offset: number, earlier: Piece): void {
  const from = Math.max(offset, earlier.offset);
  const to = Math.min(offset + old.length, earlier.offset + earlier.length);
  if (from >= to) return;
  if (earlier.data === undefined) old.fill(0, from - offset, to - offset);
  else earlier.data.copy(old, from - offset, from - earlier.offset, to - earlier.offset);
}

function oldRanges(old: Buffer, offset: number): readonly OldRange[] {
  const ranges: OldRange[] = [];
  zeroRuns(old, offset, (from, to, zero) => {
    if (zero) {
      ranges.push({ offset: offset + from, length: to - from, data: undefined });
      return;
    }
    for (let start = from; start < to; start += OLD_DATA_BYTES_MAX) {
      const data = old.subarray(start, Math.min(to, start + OLD_DATA_BYTES_MAX));
      ranges.push({ offset: offset + start, length: data.length, data });
    }
  });
  return ranges;
}
