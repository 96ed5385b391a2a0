// What a recovery point contains: never a torn member, and a fenced one only until its attempt is
// decided.
import { describe, expect, test, vi } from 'vitest';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import {
  addPoint,
  cutsReached,
  newestPosition,
  pointsOf,
  positionIn,
  UNNAMED_POINTS_PER_GROUP_MAX,
} from '../../simulator/replica-site/core/points.js';
import { beginHole, endHole, mendHoles } from '../../simulator/replica-site/core/records.js';
import { RetentionWalk } from '../../simulator/replica-site/core/retained.js';
import { codeOf, cut, G1, G2, ref, SiteUnderTest, V1, V2 } from './site-core-fixture.js';

type Cuts = Parameters<typeof addPoint>[1]['cuts'];

function close(site: SiteUnderTest, cuts: Cuts, { group = G1, atMs = 1_000 } = {}) {
  return addPoint(site.state, { group, kind: 'periodic', atMs, cuts, leftOut: [] });
}

const stored = (site: SiteUnderTest, id: string) => {
  const row = site.state.points.get(id);
  if (row === undefined) throw new Error('no such point');
  return row;
};

test('a member is at its cut, or left out with the reason', () => {
  const site = new SiteUnderTest();
  site.attach();
  site.writes(1, 5);
  expect(close(site, [cut(3)])).toMatchObject({
    members: [{ volume: V1, position: 3, epoch: 1 }],
    leftOut: [{ volume: V2, reason: 'not-in-cut' }],
  });
  expect(cutsReached(site.state, [cut(6)])).toBe(false);
  expect(close(site, [cut(6)]).leftOut).toContainEqual({ volume: V1, reason: 'behind' });
  expect(close(site, [cut(3)], { group: G2 }).leftOut).toContainEqual({ volume: V1, reason: 'moved' });
});

test('a volume that left while its point waited, and came back, is not in the point', () => {
  const site = new SiteUnderTest();
  site.attach();
  site.writes(1, 5);
  site.open(1);
  site.commit(ref(1));
  site.writes(6, 8);
  site.open(1, { move: 'm2', from: G2, to: G1 });
  site.commit(ref(1, 'm2'));
  expect(close(site, [cut(5)]).leftOut).toContainEqual({ volume: V1, reason: 'moved' });
  expect(close(site, [cut(8)]).members).toMatchObject([{ volume: V1, position: 8, epoch: 3 }]);
});

test('the clock of a group never goes back', () => {
  const site = new SiteUnderTest();
  const times = [5_000, 4_000, 5_000, 9_000].map((atMs) => close(site, [], { atMs }).atMs);
  expect(times).toEqual([5_000, 5_001, 5_002, 9_000]);
});

test('a position of an earlier session is in no point unless it arrived before the next session', () => {
  const site = new SiteUnderTest();
  site.attach();
  site.writes(1, 2);
  site.attach(V1, 2);
  site.writes(1, 5, V1, 2);
  expect(close(site, [cut(4)]).leftOut).toContainEqual({ volume: V1, reason: 'behind' });
});

describe('a provisional member', () => {
  function fenced() {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 5);
    site.open(1);
    const point = close(site, [{ ...cut(8), fencedBy: ref(1) }]);
    expect(point.members).toMatchObject([{ volume: V1, position: 8, provisional: ref(1) }]);
    expect(codeOf(() => positionIn(site.state, stored(site, point.id), V1))).toBe('POINT_UNAVAILABLE');
    return { site, id: point.id };
  }

  test('is struck when the attempt commits', () => {
    const { site, id } = fenced();
    site.commit(ref(1));
    expect(stored(site, id).point).toMatchObject({
      members: [],
      leftOut: [{ volume: V2 }, { volume: V1, reason: 'moved' }],
    });
  });

  test('is kept when the attempt aborts, and can be opened once its writes arrived', () => {
    const { site, id } = fenced();
    attempts.resolveAttempt(site.state, ref(1), 'test', 0);
    expect(codeOf(() => positionIn(site.state, stored(site, id), V1))).toBe('POINT_UNAVAILABLE');
    site.writes(6, 8);
    expect(positionIn(site.state, stored(site, id), V1)).toBe(8);
  });

  test('is struck when its splitter dies before its writes arrived', () => {
    const { site, id } = fenced();
    attempts.resolveAttempt(site.state, ref(1), 'test', 0);
    site.writes(6, 7);
    site.attach(V1, 2);
    site.writes(1, 5, V1, 2);
    expect(codeOf(() => positionIn(site.state, stored(site, id), V1))).toBe('POINT_NOT_FOUND');
    expect(stored(site, id).point.leftOut).toContainEqual({ volume: V1, reason: 'marks-only' });
  });

  test('stays when its writes arrived before its splitter died', () => {
    const { site, id } = fenced();
    attempts.resolveAttempt(site.state, ref(1), 'test', 0);
    site.writes(6, 8);
    site.attach(V1, 2);
    site.writes(1, 1, V1, 2);
    expect(positionIn(site.state, stored(site, id), V1)).toBe(8);
  });

  test.each(['COMMITTED', 'ABORTED'] as const)(
    'is settled (%s) without a look at the points of others, of which a group has tens of thousands',
    (verdict) => {
      const { site, id } = fenced();
      const earlier = close(site, [cut(3)]);
      const others = vi.spyOn(site.state, 'pointsOfGroup');
      const puts = vi.spyOn(site.state.points, 'put');
      if (verdict === 'ABORTED') attempts.resolveAttempt(site.state, ref(1), 'test', 0);
      else site.commit(ref(1));
      expect(others).not.toHaveBeenCalled();
      expect(puts.mock.calls.map(([key]) => key)).toContain(id);
      expect(stored(site, earlier.id).point).toBe(earlier);
    },
  );

  test('of an attempt that is not the open one is left out', () => {
    const { site } = fenced();
    expect(close(site, [{ ...cut(8), fencedBy: ref(1, 'm9') }]).leftOut).toContainEqual({
      volume: V1,
      reason: 'behind',
    });
  });
});

describe('a hole', () => {
  test('keeps the volume out of points from its start to before its end', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 9);
    beginHole(site.state, V1, { fromPosition: 4, sinceMs: 1, reason: 'test' });
    expect(codeOf(() => newestPosition(site.state, V1))).toBe('POINT_UNAVAILABLE');
    endHole(site.state, V1, 7, 2);
    const inPoint = [3, 4, 6, 7].map((n) => close(site, [cut(n)]).members.length);
    expect(inPoint).toEqual([1, 0, 0, 1]);
    expect(newestPosition(site.state, V1)).toBe(9);
  });

  test('is not sealed over', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 3);
    site.open(1);
    beginHole(site.state, V1, { fromPosition: 3, sinceMs: 1, reason: 'test' });
    expect(codeOf(() => attempts.sealAttempt(site.state, ref(1), [cut(3)], [], 0))).toBe('NOT_SYNCED');
  });

  test('whose begin never became durable is forgotten; whose end did not is open again', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 5);
    beginHole(site.state, V1, { fromPosition: 6, sinceMs: 1, reason: 'lost' });
    beginHole(site.state, V2, { fromPosition: 1, sinceMs: 1, reason: 'lost' });
    mendHoles(site.state);
    expect([site.state.holesOf(V1), site.state.volume(V1).openHole, site.state.holes.size]).toEqual([[], undefined, 0]);
    beginHole(site.state, V1, { fromPosition: 4, sinceMs: 1, reason: 'kept' });
    endHole(site.state, V1, 6, 2);
    mendHoles(site.state);
    expect(site.state.holesOf(V1)).toEqual([{ volume: V1, fromPosition: 4, sinceMs: 1, reason: 'kept' }]);
    expect(site.state.volume(V1).openHole).toBeDefined();
  });
});

test('a group keeps a bounded number of unnamed points, and every named or pinned one', () => {
  const site = new SiteUnderTest();
  site.attach();
  site.writes(1, 1);
  const named = addPoint(site.state, { group: G1, kind: 'demand', atMs: 1, cuts: [], leftOut: [], bookmark: 'kept' });
  site.open(1);
  const { left } = attempts.sealAttempt(site.state, ref(1), [cut(1)], [], 2);
  const first = close(site, [], { atMs: 3 });
  for (let i = 0; i < UNNAMED_POINTS_PER_GROUP_MAX; i += 1) close(site, [], { atMs: 4 + i });
  const ids = new Set(pointsOf(site.state, { group: G1 }).map((point) => point.id));
  expect(ids.size).toBe(UNNAMED_POINTS_PER_GROUP_MAX + 2);
  expect([named.id, left?.point ?? named.id].every((id) => ids.has(id))).toBe(true);
  expect(ids.has(first.id)).toBe(false);
});

test('a snapshot has the time of its cut, though other points were closed between the cut and the seal', () => {
  const site = new SiteUnderTest();
  site.attach();
  site.writes(1, 1);
  const before = close(site, [cut(1)], { atMs: 100 });
  site.open(1);
  const meanwhile = close(site, [], { atMs: 300 });
  const { left } = attempts.sealAttempt(site.state, ref(1), [cut(1)], [], 200);
  expect(left?.atMs).toBe(200);
  const after = close(site, [], { atMs: 250 });
  expect(pointsOf(site.state, { group: G1 }).map(({ id }) => id)).toEqual([
    before.id,
    left?.point,
    meanwhile.id,
    after.id,
  ]);
  expect(after.atMs).toBe(301);
});

test('of each volume the positions that points of any group still name are found, each with its oldest point', () => {
  const site = new SiteUnderTest();
  site.attach();
  site.writes(1, 3);
  const first = close(site, [cut(2)]);
  close(site, [cut(2)]);
  site.writes(4, 9);
  const last = close(site, [cut(7)]);
  site.open(1);
  const { left } = site.commit(ref(1));
  site.write(10);
  const elsewhere = close(site, [cut(10)], { group: G2 });
  const walk = new RetentionWalk(site.state, [V1, V2]);
  while (!walk.step());
  expect([...(walk.named.get(V1) ?? [])]).toEqual([
    [2, first.id],
    [7, last.id],
    [9, left?.point],
    [10, elsewhere.id],
  ]);
  expect(walk.named.get(V2)?.size).toBe(0);
});
