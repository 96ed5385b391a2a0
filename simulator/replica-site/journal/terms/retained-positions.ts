// The positions that images can be opened at: single ones, and all from one on. A dropped position
// never comes back.
import { JournalError } from './errors.js';

/** Which positions a journal keeps openable. */
export interface Retained {
  /** Positions that must stay openable, ascending, each once. */
  readonly positions: readonly number[];
  /**
   * Every position from this one on stays openable too. Lowered to the applied position if beyond
   * it.
   */
  readonly everyFrom: number;
}

/** @throws JournalError OUT_OF_RANGE */
export function assertAscending(positions: readonly number[]): void {
  positions.forEach((position, index) => {
    if (!Number.isSafeInteger(position) || position < 0) {
      throw new JournalError('OUT_OF_RANGE', `${position} is not a position`);
    }
    const before = positions[index - 1];
    if (before !== undefined && before >= position) {
      throw new JournalError('OUT_OF_RANGE', `position ${position} doesn't ascend after ${before}`);
    }
  });
}

export function isOpenable(retained: Retained, position: number): boolean {
  if (position >= retained.everyFrom) return true;
  return retained.positions[countBefore(retained.positions, position)] === position;
}

/** What stays openable when `before` was openable and `asked` is to be retained. */
export function narrowed(before: Retained, asked: Retained, applied: number): Retained {
  const everyFrom = Math.max(before.everyFrom, Math.min(asked.everyFrom, applied));
  const kept = asked.positions.filter((position) => position < everyFrom && isOpenable(before, position));
  // `asked` takes every position from its `everyFrom` on, so single positions from there on stay
  // too.
  const others = before.positions.filter((position) => position >= asked.everyFrom && position < everyFrom);
  const positions = [...new Set([...kept, ...others])].sort((one, other) => one - other);
  return { positions, everyFrom };
}

export function isSame(one: Retained, other: Retained): boolean {
  return (
    one.everyFrom === other.everyFrom &&
    one.positions.length === other.positions.length &&
    one.positions.every((position, index) => position === other.positions[index])
  );
}

/** The oldest openable position. */
export function oldest({ positions, everyFrom }: Retained): number {
  return positions[0] ?? everyFrom;
}

/** Start of the interval that a record lies in: the last retained position before it, or -1. */
export function intervalStart({ positions }: Retained, position: number): number {
  return positions[countBefore(positions, position) - 1] ?? -1;
}

/**
 * What tells whether a segment must be consolidated anew: which retained positions concern it.
 * Positions are never added to those retained before, so equal numbers mean equal positions.
 */
export interface Signature {
  /** The last retained position before the segment; -1 if there is none. */
  readonly intervalStart: number;
  /** How many retained positions lie within it: after each a new interval begins. */
  readonly positionsWithin: number;
}

/** The signature of records from position `first` to `last`. */
export function signatureOf(retained: Retained, first: number, last: number): Signature {
  const before = countBefore(retained.positions, first);
  const positionsWithin = countBefore(retained.positions, last) - before;
  return { intervalStart: retained.positions[before - 1] ?? -1, positionsWithin };
}

/** How many of the ascending positions are less than `position`. */
export function countBefore(positions: readonly number[], position: number): number {
  let low = 0;
  let high = positions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((positions[middle] ?? 0) < position) low = middle + 1;
    else high = middle;
  }
  return low;
}
