// The sets and counters of a volume's regions against plain ones, and what gigabytes at once cost.
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { Marks, REGION_BYTES } from '../../simulator/splitter/core/marks.js';
import { RegionCounts } from '../../simulator/splitter/core/region-counts.js';
import { PAGE_REGIONS, RegionSet } from '../../simulator/splitter/core/region-set.js';

const REGIONS = 3 * PAGE_REGIONS + 100;
const GIB = 1024 ** 3;

/** Ranges that begin and end near the ends of pages, where mistakes would be. */
const edge = fc
  .tuple(fc.nat(3), fc.integer({ min: -40, max: 40 }))
  .map(([page, away]) => Math.min(REGIONS, Math.max(0, page * PAGE_REGIONS + away)));
const range = fc.tuple(edge, edge).map(([one, other]) => [Math.min(one, other), Math.max(one, other)] as const);

function* numbers(from: number, to: number): Generator<number> {
  for (let region = from; region < to; region += 1) yield region;
}

test('a set of regions has what a plain set has', () => {
  const change = fc.record({ range, adds: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), edge, (changes, from) => {
      const set = new RegionSet();
      const model = new Set<number>();
      for (const { range: of, adds } of changes) {
        if (adds) set.add(...of);
        else set.delete(...of);
        for (const region of numbers(...of)) {
          if (adds) model.add(region);
          else model.delete(region);
        }
      }
      const sorted = [...model].sort((one, other) => one - other);
      expect(set.size).toBe(model.size);
      expect([...set]).toEqual(sorted);
      expect(set.next(from, REGIONS)).toBe(sorted.find((region) => region >= from));
      expect(set.has(from)).toBe(model.has(from));
    }),
    { numRuns: 200 },
  );
});

test('a set loses what another one has within a range, and nothing else', () => {
  const ranges = fc.array(range, { maxLength: 6 });
  fc.assert(
    fc.property(ranges, ranges, range, (mine, others, within) => {
      const [set, other] = [new RegionSet(), new RegionSet()];
      for (const of of mine) set.add(...of);
      for (const of of others) other.add(...of);
      const left = [...set].filter((region) => region < within[0] || region >= within[1] || !other.has(region));
      const unchanged = [...other];
      set.deleteAll(other, ...within);
      expect([...set]).toEqual(left);
      expect(set.size).toBe(left.length);
      expect([...other]).toEqual(unchanged);
      // Its pages are still sound: what is added and removed next is counted right.
      set.add(...within);
      set.delete(...within);
      expect(set.size).toBe(left.filter((region) => region < within[0] || region >= within[1]).length);
    }),
    { numRuns: 200 },
  );
});

test('a set gains what another one has within a range, and nothing else', () => {
  const ranges = fc.array(range, { maxLength: 6 });
  fc.assert(
    fc.property(ranges, ranges, range, (mine, others, [from, to]) => {
      const [set, other] = [new RegionSet(), new RegionSet()];
      for (const of of mine) set.add(...of);
      for (const of of others) other.add(...of);
      const had = new Set(set);
      const expected = [...numbers(0, REGIONS)].filter(
        (region) => had.has(region) || (region >= from && region < to && other.has(region)),
      );
      const unchanged = [...other];
      set.addAll(other, from, to);
      expect([...set]).toEqual(expected);
      expect(set.size).toBe(expected.length);
      expect([...other]).toEqual(unchanged);
      // The two share no page: what one loses, the other keeps.
      set.delete(from, to);
      expect([...other]).toEqual(unchanged);
    }),
    { numRuns: 200 },
  );
});

test('long zeroes that are not sent cost by pages of regions, not by regions: many are dropped in one turn', () => {
  const marks = new Marks(4 * GIB);
  marks.begin(0, 4 * GIB);
  const looks = vi.spyOn(RegionSet.prototype, 'next');
  const removals = vi.spyOn(RegionSet.prototype, 'delete');
  marks.abandon(0, 4 * GIB);
  expect(looks.mock.calls.length + removals.mock.calls.length).toBeLessThan(marks.regions / PAGE_REGIONS);
  vi.restoreAllMocks();
  expect([marks.dirty, marks.settled]).toEqual([marks.regions, 0]);
});

test('counters tell a region free exactly when its last write is counted off', () => {
  const change = fc.record({ range, pick: fc.nat(), adds: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 14 }), (changes) => {
      const counts = new RegionCounts();
      const model = new Map<number, number>();
      const open: (readonly [number, number])[] = [];
      for (const { range: of, pick, adds } of changes) {
        if (adds) {
          counts.add(...of);
          open.push(of);
          for (const region of numbers(...of)) model.set(region, (model.get(region) ?? 0) + 1);
          continue;
        }
        const [ended] = open.splice(pick % Math.max(1, open.length), 1);
        if (ended === undefined) continue;
        const free: number[] = [];
        counts.remove(...ended, (from, to) => free.push(...numbers(from, to)));
        for (const region of numbers(...ended)) model.set(region, (model.get(region) ?? 0) - 1);
        expect(free).toEqual([...numbers(...ended)].filter((region) => model.get(region) === 0));
        for (const region of [ended[0], ended[1] - 1]) expect(counts.has(region)).toBe((model.get(region) ?? 0) > 0);
      }
    }),
    { numRuns: 200 },
  );
});

test('zeroes over 640 GiB in 160 requests cost the bitmap of the volume and little more', () => {
  const before = process.memoryUsage();
  const marks = new Marks(640 * GIB);
  for (let at = 0; at < 640; at += 4) {
    const fresh = marks.begin(at * GIB, 4 * GIB);
    expect(fresh).toHaveLength((4 * GIB) / REGION_BYTES);
  }
  for (let at = 0; at < 640; at += 4) marks.abandon(at * GIB, 4 * GIB);
  const after = process.memoryUsage();
  // One entry a region, as in a map, would be 700 MB: buffers alone are measured, garbage is not.
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(8 * 1024 * 1024);
  expect([marks.marked, marks.dirty]).toEqual([marks.regions, marks.regions]);
});

test('many settled regions are cleared in several turns, and none is forgotten', () => {
  const marks = new Marks(64 * GIB);
  for (let at = 0; at < 64; at += 4) marks.begin(at * GIB, 4 * GIB);
  for (let at = 0; at < 64; at += 4) marks.confirm(at * GIB, 4 * GIB);
  let turns = 0;
  let cleared = 0;
  while (marks.settled > 0) {
    const now = marks.clearSettled().length;
    expect(now).toBeLessThanOrEqual(128 * 1024);
    cleared += now;
    turns += 1;
  }
  expect([cleared, marks.marked]).toEqual([marks.regions, 0]);
  expect(turns).toBeGreaterThan(4);
});

test('a write over whole pages makes no counters of single regions, and counting it off leaves none', () => {
  const counts = new RegionCounts();
  const before = process.memoryUsage().arrayBuffers;
  counts.add(0, 10_000 * PAGE_REGIONS);
  counts.add(PAGE_REGIONS, 3 * PAGE_REGIONS);
  // A counter for each region would be 16 KiB a page: 160 MB.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
  const free: (readonly [number, number])[] = [];
  counts.remove(0, 10_000 * PAGE_REGIONS, (from, to) => free.push([from, to]));
  expect(free.slice(0, 2)).toEqual([
    [0, PAGE_REGIONS],
    [3 * PAGE_REGIONS, 4 * PAGE_REGIONS],
  ]);
  expect([counts.has(PAGE_REGIONS - 1), counts.has(PAGE_REGIONS), counts.has(3 * PAGE_REGIONS)]).toEqual([
    false,
    true,
    false,
  ]);
});

test('a write in the middle of a page leaves the regions around it free', () => {
  const counts = new RegionCounts();
  const [from, to] = [PAGE_REGIONS / 4, (3 * PAGE_REGIONS) / 4];
  counts.add(from, to);
  expect([from - 1, from, to - 1, to].map((region) => counts.has(region))).toEqual([false, true, true, false]);
  expect([...counts.freeRuns(0, PAGE_REGIONS)]).toEqual([
    [0, from],
    [to, PAGE_REGIONS],
  ]);
});

test('the page of a write that is counted off once too often takes the next write as the first', () => {
  const counts = new RegionCounts();
  const settle = (): void => undefined;
  for (const [from, to] of [
    [0, PAGE_REGIONS],
    [PAGE_REGIONS + 1, PAGE_REGIONS + 3],
  ] as const) {
    counts.add(from, to);
    counts.remove(from, to, settle);
    counts.remove(from, to, settle);
    counts.add(from, to);
    expect(counts.has(from)).toBe(true);
    counts.remove(from, to, settle);
    expect(counts.has(from)).toBe(false);
  }
});
