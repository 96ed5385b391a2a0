// Holds copies of the two disks of dependent pairs against what the writer did: from their own
// bytes, and from its log.
import { type Export, withExport } from '../../estate/compare.js';
import { readAhead } from '../../nbd/read-ahead.js';
import {
  contentOf,
  LANES,
  numberOf,
  offsetOf,
  type PairLog,
  type Side,
  SIDES,
  SLOTS,
  WRITE_BYTES,
} from './pair-log.js';

/** The newest number on a disk, by lane. */
export type Newest = readonly number[];

/**
 * Reads the newest number of each lane from a disk.
 * @throws Error naming the block when a lane's ring is no state that a writer of numbers in order
 * can leave
 */
export async function readNewest(image: Export, side: Side): Promise<Newest> {
  const chunks: Buffer[] = [];
  await withExport(image, async (client) => {
    for await (const { data } of readAhead(client)) chunks.push(data);
  });
  const disk = Buffer.concat(chunks);
  return Array.from({ length: LANES }, (_, lane) => newestOf(disk, side, lane, image.name));
}

/**
 * The slots hold the newest number and the ones right before it, each its own: nothing older,
 * nothing torn.
 */
function newestOf(disk: Buffer, side: Side, lane: number, name: string): number {
  const numbers = Array.from({ length: SLOTS }, (_, slot) => numberIn(disk, side, lane, slot, name));
  const newest = Math.max(...numbers);
  for (const [slot, n] of numbers.entries()) {
    const expected = Math.max(0, newest - ((newest - slot + SLOTS) % SLOTS));
    if (n !== expected)
      throw new Error(
        `${name}: slot ${slot} of lane ${lane} holds number ${n}, not ${expected}; the newest is ${newest}.`,
      );
  }
  return newest;
}

/** 0 for a slot that was never written. */
function numberIn(disk: Buffer, side: Side, lane: number, slot: number, name: string): number {
  const offset = offsetOf(lane, slot);
  const content = disk.subarray(offset, offset + WRITE_BYTES);
  const n = numberOf(content);
  if (!content.equals(n === 0 ? Buffer.alloc(WRITE_BYTES) : contentOf(side, lane, n)))
    throw new Error(`${name}: what is at ${offset} says that it is number ${n}, but was never written as that.`);
  return n;
}

/**
 * Where the effects lead their causes, or the causes are more than one number ahead. Empty for a
 * consistent pair of disks.
 */
export function pairFaults(cause: Newest, effect: Newest): string[] {
  return cause.flatMap((caused, lane) => {
    const had = effect[lane] ?? Number.NaN;
    return had <= caused && caused <= had + 1
      ? []
      : [`lane ${lane}: the causes are at number ${caused}, the effects at ${had}`];
  });
}

/**
 * Whether the disks, one or both, are at one instant of the writer, over all lanes: no write is
 * there that was issued after one that is missing had been acknowledged.
 */
export function instantFaults(log: PairLog, disks: Partial<Readonly<Record<Side, Newest>>>): string[] {
  let latest = { at: Number.NEGATIVE_INFINITY, what: 'nothing' };
  let missing = { at: Number.POSITIVE_INFINITY, what: 'nothing' };
  for (const side of SIDES) {
    for (const [lane, n] of (disks[side] ?? []).entries()) {
      const issuedAt = log.issuedAt(side, lane, n);
      if (issuedAt > latest.at) latest = { at: issuedAt, what: `${side} ${n} of lane ${lane}` };
      const acknowledgedAt = log.acknowledgedAt(side, lane, n + 1);
      if (acknowledgedAt < missing.at) missing = { at: acknowledgedAt, what: `${side} ${n + 1} of lane ${lane}` };
    }
  }
  return missing.at < latest.at
    ? [`${latest.what} is there, but ${missing.what}, acknowledged before it was issued, is not`]
    : [];
}
