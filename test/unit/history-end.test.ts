// What a replica site still knows of history that nobody can open any more: its rows are bounded by
// its retention.
import { beforeEach, describe, expect, test } from 'vitest';
import { endOwnership } from '../../simulator/replica-site/core/owners.js';
import { addVolume } from '../../simulator/replica-site/core/lifecycle.js';
import { beginHole, endHole } from '../../simulator/replica-site/core/records.js';
import { forgetBefore } from '../../simulator/replica-site/core/history-end.js';
import { momentAt } from '../support/moment.js';
import { G1, G2, ref, S1, SiteUnderTest, V1 } from './site-core-fixture.js';

const GROUPS = [G1, G2] as const;

let site: SiteUnderTest;
beforeEach(() => {
  site = new SiteUnderTest();
  site.attach();
});

/** Writes v1 ten times more and moves it to the other group: its first move, second and so on. */
function move(count: number): void {
  const [from, to] = count % 2 === 1 ? GROUPS : [GROUPS[1], GROUPS[0]];
  site.writes(count * 10 - 9, count * 10);
  const attempt = ref(1, `m${count}`);
  site.open(1, { move: attempt.move, from, to });
  site.commit(attempt);
}

function epochs(): number[] {
  return site.state.ownersOf(V1).map(({ epoch }) => epoch);
}

describe('given a volume that moved three times, at positions 10, 20 and 30', () => {
  beforeEach(() => [1, 2, 3].forEach(move));

  test.each([
    { oldest: 0, left: [1, 2, 3, 4] },
    // The "left" point at the cut belongs to the span that ends there.
    { oldest: 10, left: [1, 2, 3, 4] },
    { oldest: 11, left: [2, 3, 4] },
    { oldest: 20, left: [2, 3, 4] },
    { oldest: 21, left: [3, 4] },
    { oldest: 1_000, left: [4] },
  ])('when $oldest is the oldest position, then the owners of epochs $left are known', ({ oldest, left }) => {
    forgetBefore(site.state, V1, oldest);
    expect(epochs()).toEqual(left);
  });

  test('when its first owner is forgotten, then it may still be added once more as it was', () => {
    forgetBefore(site.state, V1, 11);
    forgetBefore(site.state, V1, 21);
    site.restart();
    const input = { volume: V1, splitter: S1, sizeMiB: 1, group: G1, dryRun: false };
    expect(site.state.volume(V1).group).toBe(G2);
    expect(addVolume(site.state, input, momentAt(0))).toEqual({ changed: false });
  });

  test('when it is retired and nothing of it is left, then its last owner is known', () => {
    endOwnership(site.state, V1, { position: 30, atMs: 0 });
    forgetBefore(site.state, V1, 1_000);
    expect(epochs()).toEqual([4]);
  });

  test('when its owners are forgotten, then it moves on', () => {
    forgetBefore(site.state, V1, 30);
    move(4);
    expect(epochs()).toEqual([3, 4, 5]);
    expect(site.state.ownersOf(V1).map(({ fromPosition, toPosition }) => [fromPosition, toPosition])).toEqual([
      [20, 30],
      [30, 40],
      [40, undefined],
    ]);
  });
});

describe('given a hole from position 3 to 7 and one that is open from 9 on', () => {
  beforeEach(() => {
    site.writes(1, 9);
    beginHole(site.state, V1, { fromPosition: 3, sinceMs: 3, reason: 'overflow' });
    endHole(site.state, V1, 7, 7);
    beginHole(site.state, V1, { fromPosition: 9, sinceMs: 9, reason: 'overflow' });
  });

  test.each([
    { oldest: 6, left: [3, 9] },
    // At its end the volume is consistent again.
    { oldest: 7, left: [9] },
    { oldest: 1_000, left: [9] },
  ])('when $oldest is the oldest position, then the holes from $left on are known', ({ oldest, left }) => {
    forgetBefore(site.state, V1, oldest);
    expect(site.state.holesOf(V1).map(({ fromPosition }) => fromPosition)).toEqual(left);
  });
});

test('a volume that was moved a thousand times with little retention has as many rows as one that was moved once', () => {
  let most = 0;
  for (let count = 1; count <= 1_000; count += 1) {
    move(count);
    for (const { point } of site.state.points.values()) site.state.points.delete(point.id);
    forgetBefore(site.state, V1, count * 10);
    most = Math.max(most, site.state.owners.size);
  }
  // v1's present span, the one that ends at the cut, and the span of v2.
  expect(most).toBe(3);
});
