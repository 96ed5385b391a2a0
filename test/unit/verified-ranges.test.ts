// What a resync sends of what a verification found, and why it sends nothing.
import { describe, expect, test } from 'vitest';
import type { Verification } from '../../client/verifications/verification-client.js';
import { rangesFound } from '../../client/volumes/repairs.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import { VERIFY_REGION_BYTES, type VerifyReport } from '../../contracts/verify.js';

const V1 = volumeIdSchema.parse('v1');
const REPORT: VerifyReport = {
  volume: V1,
  startedAtMs: 1,
  endedAtMs: 2,
  sizeBytes: 4 * VERIFY_REGION_BYTES,
  regions: 4,
  bytesPerSecond: 1,
  points: [],
  mismatchedRegions: 1,
  mismatches: [{ offset: VERIFY_REGION_BYTES, length: VERIFY_REGION_BYTES, fault: 'differs' }],
};
type Found = Pick<Verification, 'workflowId' | 'state' | 'report'>;

const found = (state: Found['state'], report?: VerifyReport): Found => ({
  workflowId: 'w',
  state,
  ...(report && { report }),
});
const ended = (report: VerifyReport): Found => found('different', report);

test('the ranges that differ are sent', () => {
  expect(rangesFound(ended(REPORT), V1)).toEqual([{ offset: VERIFY_REGION_BYTES, length: VERIFY_REGION_BYTES }]);
});

test('a verification that found more than it lists has the whole volume compared', () => {
  expect(rangesFound(ended({ ...REPORT, mismatchedRegions: 2 }), V1)).toBeUndefined();
});

describe('nothing is sent, and the refusal says why and what to type', () => {
  test.each([
    { verification: found('running'), says: /still runs.*volume-mover verification status w$/ },
    { verification: found('cancelled'), says: /ended without a verdict.*resync v1$/ },
    { verification: ended({ ...REPORT, volume: volumeIdSchema.parse('v2') }), says: /is of volume "v2", not of "v1"/ },
    {
      verification: found('same', { ...REPORT, mismatchedRegions: 0, mismatches: [] }),
      says: /found no difference of volume "v1".*resync v1$/,
    },
  ])('$says', ({ verification, says }) => {
    expect(() => rangesFound(verification, V1)).toThrow(says);
  });
});
