// What a journal tells about its images besides their bytes: which differ between two positions,
// and which surely are zeroes. Against a model that keeps the volume at every position.
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { systemHoles } from '../../simulator/disk/holes.js';
import type { NewRecord, VolumeJournal } from '../../simulator/replica-site/journal/terms/types.js';
import { processFiles } from '../../simulator/replica-site/journal/files/node-files.js';
import { MemoryDisk } from '../property/journal-memory-disk.js';
import { BLOCK_BYTES, open, SIZE_BYTES } from './journal-fixture.js';

const PARTS_MAX = 1_000;

const folder = mkdtempSync(join(tmpdir(), 'journal-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Step {
  readonly fill: number;
  readonly offset: number;
  readonly length: number;
}

const step = fc
  .record({
    fill: fc.constantFrom(0, 1, 2),
    offset: fc.integer({ min: 0, max: SIZE_BYTES - 1 }),
    length: fc.oneof(fc.integer({ min: 1, max: 3 * BLOCK_BYTES }), fc.constant(8 * BLOCK_BYTES)),
  })
  .map((one): Step => ({ ...one, length: Math.min(one.length, SIZE_BYTES - one.offset) }));

function recordOf({ fill, offset, length }: Step, n: number): NewRecord {
  const stamp = { session: 1, n, epoch: 1, timeMs: 1_000 + n };
  if (fill === 0) return { ...stamp, kind: 'zeroes', offset, length };
  return { ...stamp, kind: 'write', offset, data: Buffer.alloc(length, fill) };
}

/** Appends the steps. Returns the volume as it was at each position. */
async function fill(journal: VolumeJournal, steps: readonly Step[]): Promise<Buffer[]> {
  const states = [Buffer.alloc(SIZE_BYTES)];
  for (const [index, one] of steps.entries()) {
    journal.append([recordOf(one, index + 1)]);
    states.push(Buffer.from(states[index] ?? '').fill(one.fill, one.offset, one.offset + one.length));
  }
  await journal.whenApplied(steps.length);
  return states;
}

/** The bytes of the volume that the ranges cover. */
function covered(ranges: readonly { readonly start: number; readonly end: number }[]): Buffer {
  const bytes = Buffer.alloc(SIZE_BYTES);
  for (const { start, end } of ranges) bytes.fill(1, start, end);
  return bytes;
}

test('no byte that differs between two positions is missing, and none is told that was not written between them', async () => {
  const run = fc.record({
    steps: fc.array(step, { minLength: 1, maxLength: 12 }),
    kept: fc.array(fc.nat(12), { maxLength: 5 }),
    pick: fc.tuple(fc.nat(), fc.nat()),
  });
  await fc.assert(
    fc.asyncProperty(run, async ({ steps, kept, pick }) => {
      const journal = await open(new MemoryDisk(), { segmentBytes: 10_000 });
      const states = await fill(journal, steps);
      const positions = [...new Set(kept.filter((position) => position <= steps.length))].sort((a, b) => a - b);
      // Dropped positions make UNDO be consolidated.
      while (!(await journal.retain({ positions, everyFrom: steps.length })).done);
      const openable = [...new Set([...positions, steps.length])];
      const [one = 0, other = 0] = pick.map((choice) => openable[choice % openable.length] ?? 0);
      const [from, to] = [Math.min(one, other), Math.max(one, other)];
      const changes = await journal.changedBetween(from, to);
      const told = covered(changes.within(0, SIZE_BYTES, PARTS_MAX));
      const written = covered(
        steps.slice(from, to).map(({ offset, length }) => ({ start: offset, end: offset + length })),
      );
      const [before, after] = [states[from], states[to]];
      const missing = told.findIndex((is, at) => is === 0 && before?.[at] !== after?.[at]);
      const tooMuch = told.findIndex((is, at) => is === 1 && written[at] === 0);
      expect({ missing, tooMuch }, `${from} to ${to}`).toEqual({ missing: -1, tooMuch: -1 });
      await journal.close();
    }),
    { numRuns: 40 },
  );
}, 60_000);

test('changes are refused from a position that is dropped, or after the other', async () => {
  const journal = await open(new MemoryDisk());
  await fill(
    journal,
    [1, 2, 3].map((each) => ({ fill: each % 3, offset: 0, length: 512 })),
  );
  await journal.retain({ positions: [2], everyFrom: 3 });
  await expect(journal.changedBetween(1, 3)).rejects.toMatchObject({ code: 'TRIMMED' });
  await expect(journal.changedBetween(3, 2)).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
  await expect(journal.changedBetween(2, 4)).rejects.toMatchObject({ code: 'BEYOND_DURABLE' });
  expect((await journal.changedBetween(3, 3)).count).toBe(0);
  await journal.close();
});

test('changes after a dropped position name what was written since the kept one before it', async () => {
  const journal = await open(new MemoryDisk(), { segmentBytes: 10_000 });
  // Block 9 is written twice between two kept positions, and its second old content is let go of.
  const blocks = [0, 1, 2, 0, 9, 1, 2, 0, 9, 1, 2, 0, 1, 2, 0, 1];
  await fill(
    journal,
    blocks.map((block, index) => ({ fill: 1 + (index % 2), offset: block * BLOCK_BYTES, length: BLOCK_BYTES })),
  );
  await journal.retain({ positions: [3, 12], everyFrom: blocks.length });
  const changed = (await journal.changedAfter(7)) ?? [];
  expect(covered(changed.map(({ offset, length }) => ({ start: offset, end: offset + length })))[9 * BLOCK_BYTES]).toBe(
    1,
  );
  await expect(journal.changedAfter(2)).resolves.toBeUndefined();
  await journal.close();
});

test('a change that is durable and waits to be applied is told once it is applied, and not before', async () => {
  let written = (): void => undefined;
  const durable = new Promise<void>((resolve) => {
    written = resolve;
  });
  const journal = await open(new MemoryDisk(), { onDurable: ({ position }) => position === 2 && written() });
  await fill(journal, [{ fill: 1, offset: 0, length: BLOCK_BYTES }]);
  await journal.pauseDistribution();
  journal.append([recordOf({ fill: 2, offset: 5 * BLOCK_BYTES, length: BLOCK_BYTES }, 2)]);
  await durable;
  const changed = journal.changedAfter(1);
  await expect(journal.changedAfter(1, AbortSignal.abort(new Error('too slow')))).rejects.toThrow('too slow');
  journal.resumeDistribution();
  expect(await changed).toEqual([{ offset: 5 * BLOCK_BYTES, length: BLOCK_BYTES }]);
  await journal.close();
});

test('changes that are being read keep the history they need, though it is dropped meanwhile', async () => {
  const count = 24;
  const steps = Array.from({ length: count }, (_, n) => ({
    fill: 1 + (n % 2),
    offset: (n % 16) * BLOCK_BYTES,
    length: BLOCK_BYTES,
  }));
  const journal = await open(new MemoryDisk(), { segmentBytes: 10_000 });
  await fill(journal, steps);
  const reading = journal.changedBetween(2, count - 2);
  await journal.retain({ positions: [], everyFrom: count });
  expect((await reading).within(0, SIZE_BYTES, PARTS_MAX).map(({ start }) => start / BLOCK_BYTES)).toEqual(
    Array.from({ length: 16 }, (_, block) => block),
  );
  await expect(journal.changedBetween(2, count)).rejects.toMatchObject({ code: 'TRIMMED' });
  await journal.close();
});

test('what an image tells to be a hole reads as zeroes, at every position, on real files and in memory', async () => {
  let runs = 0;
  const run = fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 8 }), onDisk: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(run, async ({ steps, onDisk }) => {
      runs += 1;
      const files = onDisk ? processFiles : new MemoryDisk();
      const journal = await open(new MemoryDisk(), { files, directory: join(folder, String(runs)) });
      const states = await fill(journal, steps);
      for (const [position, state] of states.entries()) {
        const image = await journal.openImage(position);
        for (let at = 0; at < SIZE_BYTES;) {
          const parts = await image.parts(at, SIZE_BYTES - at, 3);
          expect(parts.length).toBeGreaterThan(0);
          for (const { length, isHole } of parts) {
            if (isHole) expect(state.subarray(at, at + length).equals(Buffer.alloc(length))).toBe(true);
            at += length;
          }
          expect(at).toBeLessThanOrEqual(SIZE_BYTES);
        }
        for (let at = 0; at < SIZE_BYTES;) {
          const { length, isHole } = await image.partFrom(at, SIZE_BYTES - at);
          if (isHole) expect(state.subarray(at, at + length).equals(Buffer.alloc(length))).toBe(true);
          const into = Buffer.alloc(BLOCK_BYTES);
          const from = at - (at % BLOCK_BYTES);
          await image.readInto(from, into);
          expect(into.equals(state.subarray(from, from + BLOCK_BYTES))).toBe(true);
          expect(length).toBeGreaterThan(0);
          at += length;
          expect(at).toBeLessThanOrEqual(SIZE_BYTES);
        }
        image.close();
      }
      await journal.close();
    }),
    { numRuns: 30 },
  );
}, 60_000);

test('a hole of the file whose checksums are not those of zeroes is damaged data, not a hole', async () => {
  const directory = join(folder, 'punched');
  const journal = await open(new MemoryDisk(), { files: processFiles, directory });
  await fill(journal, [
    { fill: 1, offset: 0, length: 2 * BLOCK_BYTES },
    { fill: 1, offset: 6 * BLOCK_BYTES, length: BLOCK_BYTES },
  ]);
  const fd = openSync(join(directory, 'replica.img'), 'r+');
  systemHoles.punchNow(fd, BLOCK_BYTES, BLOCK_BYTES);
  closeSync(fd);
  const image = await journal.openImage(2);
  expect(await image.partFrom(BLOCK_BYTES, SIZE_BYTES - BLOCK_BYTES)).toEqual({ length: BLOCK_BYTES, isHole: false });
  await expect(image.readInto(BLOCK_BYTES, Buffer.alloc(BLOCK_BYTES))).rejects.toMatchObject({ code: 'CORRUPT' });
  expect(await image.partFrom(2 * BLOCK_BYTES, 8 * BLOCK_BYTES)).toEqual({ length: 4 * BLOCK_BYTES, isHole: true });
  await expect(image.readInto(1, Buffer.alloc(BLOCK_BYTES))).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
  await journal.close();
});

test('an empty image is one hole, and so is what was first written after its position', async () => {
  const journal = await open(new MemoryDisk(), { files: processFiles, directory: join(folder, 'holes') });
  const empty = await journal.openImage(0);
  expect(await empty.parts(0, SIZE_BYTES, PARTS_MAX)).toEqual([{ length: SIZE_BYTES, isHole: true }]);
  await fill(journal, [{ fill: 1, offset: BLOCK_BYTES, length: BLOCK_BYTES }]);
  const isAllHole = (await empty.parts(0, SIZE_BYTES, PARTS_MAX)).every(({ isHole }) => isHole);
  expect(isAllHole).toBe(true);
  const full = await journal.openImage(1);
  expect(await empty.partFrom(BLOCK_BYTES, 2 * BLOCK_BYTES)).toEqual({ length: BLOCK_BYTES, isHole: true });
  expect(await full.parts(BLOCK_BYTES, BLOCK_BYTES, PARTS_MAX)).toEqual([{ length: BLOCK_BYTES, isHole: false }]);
  await journal.close();
});
