// The journal against the trivial model, with kills and power cuts at any change of the files.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runSteps } from './journal-run.js';
import { steps } from './journal-steps.js';

/** Whole runs, milliseconds: far above what they take on a slow machine. */
const TIMEOUT_MS = 120_000;

const small = { sizeBytes: 30_000, writeBytesMax: 6_000, zeroesBytesMax: 20_000, stepsMax: 40 };
/** Records longer than one batch carries, so that kills fall within a record. */
const large = { sizeBytes: 3_000_000, writeBytesMax: 900_000, zeroesBytesMax: 3_000_000, stepsMax: 12 };

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
});
