// The marks against a model that counts writes region by region.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { firstRegion, lastRegion, Marks, REGION_BYTES } from '../../simulator/splitter/core/marks.js';

const SIZE_BYTES = 20 * REGION_BYTES + 1_000;

const range = fc
  .record({
    offset: fc.integer({ min: 0, max: SIZE_BYTES - 1 }),
    length: fc.integer({ min: 1, max: 3 * REGION_BYTES }),
  })
  .map(({ offset, length }) => ({ offset, length: Math.min(length, SIZE_BYTES - offset) }));

const step = fc.oneof(
  range.map((of) => ({ kind: 'begin' as const, of })),
  fc.nat().map((pick) => ({ kind: 'confirm' as const, pick })),
  fc.nat().map((pick) => ({ kind: 'abandon' as const, pick })),
  fc.constant({ kind: 'resend' as const }),
  fc.constant({ kind: 'clear' as const }),
);

function regionsOf({ offset, length }: { readonly offset: number; readonly length: number }): number[] {
  return Array.from(
    { length: lastRegion(offset, length) - firstRegion(offset) + 1 },
    (_, i) => firstRegion(offset) + i,
  );
}

test('a region with a write that is unconfirmed, or was left out, is marked in memory and in what was stored', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const marks = new Marks(SIZE_BYTES);
      const stored = new Marks(SIZE_BYTES);
      const storedBits = Buffer.from(stored.bytes(0, stored.byteLength));
      const store = (regions: readonly number[]): void => {
        for (const region of regions) storedBits.set(marks.bytes(region >> 3, (region >> 3) + 1), region >> 3);
      };
      const open: { offset: number; length: number }[] = [];
      const leftOut = new Set<number>();
      for (const { kind, ...rest } of steps) {
        if (kind === 'begin' && 'of' in rest) {
          const fresh = marks.begin(rest.of.offset, rest.of.length);
          store(fresh);
          open.push(rest.of);
        } else if (kind === 'resend') {
          const region = marks.nextDirty();
          expect(region === undefined).toBe(leftOut.size === 0);
          if (region === undefined) continue;
          marks.resend(region);
          leftOut.delete(region);
          open.push({ offset: region * REGION_BYTES, length: 1 });
        } else if (kind === 'clear') {
          store(marks.clearSettled());
        } else if ('pick' in rest && open.length > 0) {
          const [picked] = open.splice(rest.pick % open.length, 1);
          if (picked === undefined) continue;
          if (kind === 'abandon') for (const region of regionsOf(picked)) leftOut.add(region);
          if (kind === 'abandon') marks.abandon(picked.offset, picked.length);
          else marks.confirm(picked.offset, picked.length);
        }
        const needed = new Set([...open.flatMap(regionsOf), ...leftOut]);
        for (const region of needed) {
          expect(marks.isMarked(region)).toBe(true);
          expect((storedBits[region >> 3] ?? 0) & (1 << (region & 7))).not.toBe(0);
        }
        expect(marks.dirty).toBe(leftOut.size);
      }
      // Nothing stays marked once all is confirmed and sent again.
      for (const of of open) marks.confirm(of.offset, of.length);
      for (let region = marks.nextDirty(); region !== undefined; region = marks.nextDirty()) {
        marks.resend(region);
        marks.confirm(region * REGION_BYTES, 1);
      }
      store(marks.clearSettled());
      expect(marks.marked).toBe(0);
      expect(storedBits.every((byte) => byte === 0)).toBe(true);
    }),
  );
});

test('a stored bitmap makes every region that is marked in it dirty, and bits beyond the last region count for nothing', () => {
  const bits = new Uint8Array(Math.ceil(21 / 8)).fill(0xff);
  const marks = new Marks(SIZE_BYTES, bits);
  expect(marks.regions).toBe(21);
  expect([marks.marked, marks.dirty, marks.settled]).toEqual([21, 21, 0]);
  expect(new Marks(SIZE_BYTES, Uint8Array.of(0b100, 0, 0b1)).nextDirty()).toBe(2);
});

test('a stored bitmap is read in runs: every region is dirty that is marked, and no other', () => {
  const bytes = [0xff, 0xff, 0b1010_0001, 0, 0xff, 0b1000_0000, 0xff, 0xff];
  const marked = bytes.flatMap((byte, at) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => byte & (1 << bit)).map((bit) => at * 8 + bit),
  );
  const regions = bytes.length * 8;
  const marks = new Marks(regions * REGION_BYTES, Uint8Array.from(bytes));
  const dirty = Array.from({ length: regions }, (_, region) => region).filter((region) =>
    marks.isDirty(region * REGION_BYTES, 1),
  );
  expect(dirty).toEqual(marked);
  expect([marks.marked, marks.dirty]).toEqual([marked.length, marked.length]);
});

test('a write that ends exactly at the end of a region does not touch the next', () => {
  expect([firstRegion(0), lastRegion(0, REGION_BYTES)]).toEqual([0, 0]);
  expect(lastRegion(0, REGION_BYTES + 1)).toBe(1);
  expect(lastRegion(REGION_BYTES - 1, 1)).toBe(0);
});
