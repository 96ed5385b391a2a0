// One side of a comparison: its answers in order, the next one asked for in time. An answer that
// contradicts itself is refused.
import { describe, expect, test } from 'vitest';
import { DigestRuns } from '../../activities/digest-runs.js';
import type { DigestRun } from '../../contracts/verify.js';

const DIGEST = 'd'.repeat(43);
type Answer = { readonly regions: number; readonly digests: readonly DigestRun[] };

/** A side that answers one after the other; it keeps what it was asked. */
function sideOf(answers: readonly (Answer | Error)[], from: number, end: number) {
  const asked: [number, number][] = [];
  const runs = new DigestRuns(from, end, async (region, count) => {
    const answer = answers[asked.length];
    asked.push([region, count]);
    if (answer === undefined || answer instanceof Error) throw answer ?? new Error('asked too often');
    return answer;
  });
  return { asked, runs };
}

test('runs come one after the other, over several answers; each answer asks for the rest', async () => {
  const { asked, runs } = sideOf(
    [
      { regions: 4, digests: [DIGEST, 3] },
      { regions: 2, digests: [null, DIGEST] },
    ],
    10,
    16,
  );
  expect(runs.first).toBeUndefined();
  await runs.fill();
  // The second answer is on its way before the first is compared.
  expect(asked).toEqual([
    [10, 6],
    [14, 2],
  ]);
  expect([runs.first, runs.regions]).toEqual([DIGEST, 1]);
  runs.drop(1);
  expect([runs.first, runs.regions]).toEqual([3, 3]);
  runs.drop(2);
  expect([runs.first, runs.regions]).toEqual([3, 1]);
  await runs.fill();
  expect(runs.first, 'nothing is skipped while something is left').toBe(3);
  runs.drop(1);
  expect(runs.first).toBeUndefined();
  await runs.fill();
  expect([runs.first, runs.regions]).toEqual([null, 1]);
  runs.drop(1);
  expect([runs.first, runs.regions]).toEqual([DIGEST, 1]);
  runs.drop(1);
  expect(runs.first).toBeUndefined();
  expect(asked, 'no more is asked for at the end').toHaveLength(2);
});

test('a long run that was dropped in part is whole again in the next answer', async () => {
  const { runs } = sideOf(
    [
      { regions: 3, digests: [3] },
      { regions: 5, digests: [5] },
    ],
    0,
    8,
  );
  await runs.fill();
  runs.drop(2);
  runs.drop(1);
  await runs.fill();
  expect(runs.regions).toBe(5);
});

describe('an answer that contradicts itself is refused', () => {
  test.each<[what: string, answer: Answer, message: string]>([
    ['of no region', { regions: 0, digests: [] }, 'about 0 of 8 regions, and has digests of 0'],
    ['of more than was asked', { regions: 9, digests: [9] }, 'about 9 of 8 regions, and has digests of 9'],
    ['with too few digests', { regions: 4, digests: [DIGEST, 2] }, 'about 4 of 8 regions, and has digests of 3'],
    ['with too many digests', { regions: 2, digests: [null, 2] }, 'about 2 of 8 regions, and has digests of 3'],
  ])('%s', async (_what, answer, message) => {
    const { runs } = sideOf([answer], 2, 10);
    await expect(runs.fill()).rejects.toMatchObject({
      code: 'INTERNAL',
      message: `An answer says that it is ${message}.`,
    });
  });

  test('all that was asked about is not too much', async () => {
    const { asked, runs } = sideOf([{ regions: 8, digests: [8] }], 2, 10);
    await runs.fill();
    expect([runs.regions, asked]).toEqual([8, [[2, 8]]]);
  });
});

test('a failure of the next answer is told when its turn comes, and harms nobody before', async () => {
  const { runs } = sideOf([{ regions: 1, digests: [DIGEST] }, new Error('gone')], 0, 2);
  await runs.fill();
  await new Promise((done) => setImmediate(done));
  expect(runs.first).toBe(DIGEST);
  runs.drop(1);
  await expect(runs.fill()).rejects.toThrow('gone');
});
