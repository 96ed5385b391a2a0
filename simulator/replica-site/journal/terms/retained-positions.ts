// Which positions are openable: some single ones, and all from one on. What was let go of never
// comes back.
import { JournalError } from './errors.js';

/** Which positions a journal keeps openable. */
export interface Retained {
  /** Positions that must stay openable, ascending, each once. */
  readonly positions: readonly number[];
  /**
   * Every position from this one on stays openable too; lowered to the applied position if beyond
   * it.
   */
  readonly everyFrom: number;
}

/** @throws JournalError OUT_OF_RANGE */
export function assertAscending(positions: readonly number[]): void {
  positions.forEach((position, index) => {
    if (!Number.isSafeInteger(position) || position < 0) {
      throw new JournalError('OUT_OF_RANGE', `${position} is no position`);
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

/** What stays openable of what was, if `asked` is asked for. */
export function narrowed(before: Retained, asked: Retained, applied: number): Retained {
  const everyFrom = Math.max(before.everyFrom, Math.min(asked.everyFrom, applied));
  const kept = asked.positions.filter((position) => position < everyFrom && isOpenable(before, position));
  // Of the positions that `asked` takes every one of, some may be the last of theirs.
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

/**
 * The retained position whose interval a record lies in: the last one before it; -1 if there is
 * none.
 */
export function intervalStart({ positions }: Retained, position: number): number {
  return positions[countBefore(positions, position) - 1] ?? -1;
}

/**
 * The retained positions that matter to a segment. Positions are never added to those retained
 * before, so the same numbers mean the same positions.
 */
export interface Signature {
  /** The last retained position before the segment; -1 if there is none. */
  readonly intervalStart: number;
  /** How many lie within it: another interval begins after each. */
  readonly positionsWithin: number;
}

/** What of the retained positions matters to records from one position to another. */
export function signatureOf(retained: Retained, first: number, last: number): Signature {
  const before = countBefore(retained.positions, first);
  const positionsWithin = countBefore(retained.positions, last) - before;
  return { intervalStart: retained.positions[before - 1] ?? -1, positionsWithin };
}

/** How many of ascending positions are less than `position`. */
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
