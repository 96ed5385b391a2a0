// The findings of a verification: ranges that differ, merged, and the sentence that names them and
// the side at fault.
import { type Mismatch, MISMATCHES_LISTED_MAX, type VerifyReport } from '../contracts/verify.js';

/** Ranges named in the sentence. The report lists more. */
const RANGES_NAMED_MAX = 3;

/**
 * Appends a range; joins it to the last one if they touch and have the same fault. Beyond the limit
 * the caller only counts it.
 */
export function withMismatch(listed: readonly Mismatch[], found: Mismatch): Mismatch[] {
  const last = listed.at(-1);
  if (last !== undefined && last.fault === found.fault && last.offset + last.length === found.offset)
    return [...listed.slice(0, -1), { ...last, length: last.length + found.length }];
  return listed.length >= MISMATCHES_LISTED_MAX ? [...listed] : [...listed, found];
}

/**
 * Describes the mismatches. @example 'Volume "v" and its replica differ in 1 of 128 regions: bytes
 * 65536 to 131071. The replica’s own checksums …'
 */
export function describeMismatch({ volume, regions, mismatchedRegions, mismatches }: VerifyReport): string {
  const named = mismatches
    .slice(0, RANGES_NAMED_MAX)
    .map(({ offset, length }) => `${offset} to ${offset + length - 1}`);
  const more = mismatches.length > named.length ? ' and more' : '';
  const faults = new Set(mismatches.map(({ fault }) => fault));
  const sides = [
    ...(faults.has('source-unreadable')
      ? [
          `The source can't be read${placesOf(mismatches, 'source-unreadable', faults)}, so nothing was compared: repair its disk, or let the guest write those bytes again.`,
        ]
      : []),
    ...(faults.has('replica-checksum')
      ? [`What the replica site stored fails its own checksum${placesOf(mismatches, 'replica-checksum', faults)}.`]
      : []),
    ...(faults.has('differs')
      ? [
          `The replica’s own checksums hold${placesOf(mismatches, 'differs', faults)}, so it holds what was sent to it: the fault is in the source or in the transfer.`,
        ]
      : []),
  ];
  const what = faults.size === 1 && faults.has('source-unreadable') ? 'could not be compared' : 'differ';
  return [
    `Volume "${volume}" and its replica ${what} in ${mismatchedRegions} of ${regions} regions: bytes ${named.join(', ')}${more}.`,
    ...sides,
  ].join(' ');
}

/** Names the places per side. They matter only when both sides are at fault. */
function placesOf(
  mismatches: readonly Mismatch[],
  fault: Mismatch['fault'],
  faults: ReadonlySet<Mismatch['fault']>,
): string {
  if (faults.size === 1) return ' there';
  const first = mismatches.find((mismatch) => mismatch.fault === fault);
  return first === undefined ? '' : ` in the range that begins at byte ${first.offset}`;
}
