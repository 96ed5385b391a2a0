// How mismatches are merged, counted and told.
import { expect, test } from 'vitest';
import { describeMismatch, withMismatch } from '../../activities/mismatches.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import { type Mismatch, MISMATCHES_LISTED_MAX, type VerifyReport } from '../../contracts/verify.js';

const at = (offset: number, fault: Mismatch['fault'] = 'differs'): Mismatch => ({ offset, length: 10, fault });
const listOf = (...found: readonly Mismatch[]): Mismatch[] => found.reduce<Mismatch[]>(withMismatch, []);

function reportOf(mismatches: Mismatch[]): VerifyReport {
  return {
    volume: volumeIdSchema.parse('v1'),
    sizeBytes: 1_000,
    regions: 100,
    mismatches,
    mismatchedRegions: mismatches.length,
    points: [],
    startedAtMs: 0,
    endedAtMs: 1,
    bytesPerSecond: 1,
  };
}

test('neighbours of one fault become one range; a gap or another fault begins a new one', () => {
  expect(listOf(at(0), at(10), at(30), at(40, 'replica-checksum'))).toEqual([
    { offset: 0, length: 20, fault: 'differs' },
    at(30),
    at(40, 'replica-checksum'),
  ]);
});

test('ranges beyond the limit are not listed, but the last one listed still grows', () => {
  const full = listOf(...Array.from({ length: MISMATCHES_LISTED_MAX }, (_, i) => at(i * 20)));
  expect(withMismatch(full, at(1_000_000))).toEqual(full);
  const last = full.at(-1);
  const grown = withMismatch(full, at((last?.offset ?? 0) + 10));
  expect(grown).toHaveLength(MISMATCHES_LISTED_MAX);
  expect(grown.at(-1)?.length).toBe(20);
});

test('the sentence names the first ranges and the side at fault', () => {
  const told = describeMismatch(reportOf([at(0), at(20), at(40), at(60)]));
  expect(told).toContain('"v1" and its replica differ in 4 of 100 regions: bytes 0 to 9, 20 to 29, 40 to 49 and more.');
  expect(told).toContain('hold there, so it holds what was sent to it: the fault is in the source or in the transfer.');
  expect(told).not.toContain('fails its own checksum');
  expect(describeMismatch(reportOf([at(0, 'replica-checksum')]))).toContain('fails its own checksum there.');
});

test('where both sides are at fault, the sentence says which is where', () => {
  const told = describeMismatch(reportOf([at(0, 'replica-checksum'), at(20)]));
  expect(told).toContain('fails its own checksum in the range that begins at byte 0.');
  expect(told).toContain('checksums hold in the range that begins at byte 20,');
});

test('what can’t be read at the source was not compared, and the sentence says what to do', () => {
  const told = describeMismatch(reportOf([at(0, 'source-unreadable')]));
  expect(told).toContain('could not be compared in 1 of 100 regions: bytes 0 to 9.');
  expect(told).toContain('repair its disk, or let the guest write those bytes again');
  expect(told).not.toContain('differ');
  expect(describeMismatch(reportOf([at(0, 'source-unreadable'), at(20)]))).toContain(
    "can't be read in the range that begins at byte 0",
  );
});
