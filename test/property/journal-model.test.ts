// The journal against the trivial model, with kills and power cuts at any change of the files.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openVolumeJournal } from '../../simulator/replica-site/journal/volume-journal.js';
import { MemoryDisk } from './journal-memory-disk.js';
import { runSteps } from './journal-run.js';
import { steps } from './journal-steps.js';

/** Whole runs, milliseconds: far above what they take on a slow machine. */
const TIMEOUT_MS = 120_000;

const small = { sizeBytes: 30_000, writeBytesMax: 6_000, zeroesBytesMax: 20_000, stepsMin: 1, stepsMax: 40 };
/** Records longer than one batch carries, so that kills fall within a record. */
const large = { sizeBytes: 3_000_000, writeBytesMax: 900_000, zeroesBytesMax: 3_000_000, stepsMin: 1, stepsMax: 12 };
/**
 * Few bytes written again and again, in small segments: UNDO of many retained intervals, much of it
 * redundant.
 */
const dense = { sizeBytes: 9_000, writeBytesMax: 2_500, zeroesBytesMax: 3_000, stepsMin: 40, stepsMax: 70 };

/** Bytes of an UNDO record's header, and of a segment's. */
const HEADER_BYTES = 64;

describe("a volume's journal keeps what it reported durable and serves every retained position byte for byte", () => {
  test('when its process is killed at any change of its files', { timeout: TIMEOUT_MS }, async () => {
    const property = fc.asyncProperty(steps(small), (some) =>
      runSteps({ sizeBytes: small.sizeBytes, segmentBytes: 8_192, sync: false }, some),
    );
    await expect(fc.assert(property, { numRuns: 300 })).resolves.toBeUndefined();
  });

  test('when the power is cut at any change of its files, with sync', { timeout: TIMEOUT_MS }, async () => {
    const property = fc.asyncProperty(steps(small), (some) =>
      runSteps({ sizeBytes: small.sizeBytes, segmentBytes: 8_192, sync: true }, some),
    );
    await expect(fc.assert(property, { numRuns: 250 })).resolves.toBeUndefined();
  });

  test('when a record is too long for one batch', { timeout: TIMEOUT_MS }, async () => {
    const property = fc.asyncProperty(steps(large), fc.boolean(), (some, sync) =>
      runSteps({ sizeBytes: large.sizeBytes, segmentBytes: 500_000, sync }, some),
    );
    await expect(fc.assert(property, { numRuns: 25 })).resolves.toBeUndefined();
  });

  test('when much of its UNDO is consolidated', { timeout: TIMEOUT_MS }, async () => {
    const property = fc.asyncProperty(steps(dense), fc.boolean(), (some, sync) =>
      runSteps({ sizeBytes: dense.sizeBytes, segmentBytes: 6_000, sync }, some),
    );
    await expect(fc.assert(property, { numRuns: 80 })).resolves.toBeUndefined();
  });
});

describe('one old position, retained while the same blocks are written again and again', () => {
  test('costs no more UNDO than one image of what changed', { timeout: TIMEOUT_MS }, async () => {
    const BLOCK_BYTES = 4_096;
    const SEGMENT_BYTES = 64_000;
    const writes = fc.array(
      fc.record({ block: fc.nat(5), at: fc.nat(BLOCK_BYTES - 1), length: fc.integer({ min: 1, max: BLOCK_BYTES }) }),
      { minLength: 40, maxLength: 120, size: 'max' },
    );
    const property = fc.asyncProperty(writes, fc.integer({ min: 1, max: 30 }), async (some, every) => {
      const disk = new MemoryDisk();
      const journal = await openVolumeJournal({
        directory: '/volume',
        sizeBytes: 8 * BLOCK_BYTES,
        files: disk,
        segmentBytes: SEGMENT_BYTES,
      });
      const stamp = { session: 1, epoch: 1, timeMs: 1, kind: 'write' as const };
      journal.append([{ ...stamp, n: 1, offset: 0, data: Buffer.alloc(8 * BLOCK_BYTES, 1) }]);
      const changed = new Set<number>();
      for (const [index, { block, at, length }] of some.entries()) {
        const offset = block * BLOCK_BYTES + at;
        journal.append([{ ...stamp, n: index + 2, offset, data: Buffer.alloc(length, index) }]);
        for (let byte = offset; byte < offset + length; byte += 1) changed.add(byte);
        if (index % every > 0) continue;
        await journal.whenApplied(index + 2);
        await journal.retain({ positions: [1], everyFrom: index + 2 });
      }
      const last = some.length + 1;
      await journal.whenApplied(last);
      await journal.retain({ positions: [1], everyFrom: last });
      const [bytes = 0] = await journal.undoBytesAfter([1]);
      // A record's header at most for each write, and of each segment an eighth that wasn't worth
      // writing it anew.
      const image = changed.size + some.length * HEADER_BYTES;
      expect(bytes).toBeLessThanOrEqual((image * 8) / 7 + HEADER_BYTES);
      const old = await journal.openImage(1);
      expect((await old.read(0, 8 * BLOCK_BYTES)).equals(Buffer.alloc(8 * BLOCK_BYTES, 1))).toBe(true);
      await journal.close();
    });
    await expect(fc.assert(property, { numRuns: 25 })).resolves.toBeUndefined();
  });
});
