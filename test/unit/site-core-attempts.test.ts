// Which steps of an attempt the replica site takes, and what it answers to those that come late,
// twice or out of order.
import { describe, expect, test } from 'vitest';
import type { PointId } from '../../contracts/ids.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { addPoint } from '../../simulator/replica-site/core/points.js';
import { codeOf, cut, DEADLINE_MS, G1, G2, LEASE_MS, ref, SiteUnderTest, V1, V2 } from './site-core-fixture.js';
import { momentAt } from '../support/moment.js';

describe('opening', () => {
  test('the same opening gets the same answer, whatever became of the attempt', () => {
    const site = new SiteUnderTest();
    const opened = site.open(1);
    expect(site.open(1, { nowMs: 500 })).toBe(opened);
    const aborted = attempts.resolveAttempt(site.state, ref(1), 'test', 600);
    expect(site.open(1, { nowMs: 700 })).toBe(aborted);
  });

  test('an attempt older than one that is known is refused, also after a verdict on the unknown one', () => {
    const site = new SiteUnderTest();
    attempts.resolveAttempt(site.state, ref(3), 'test', 0);
    expect(codeOf(() => site.open(2))).toBe('STALE_ATTEMPT');
    expect(site.open(3).state).toBe('ABORTED');
    expect(site.open(4).state).toBe('OPEN');
  });

  test('a newer attempt of the same move supersedes the open one, and every opening gets a greater ticket', () => {
    const site = new SiteUnderTest();
    const first = site.open(1);
    const second = site.open(2);
    expect(attempts.getAttempt(site.state, ref(1)).state).toBe('ABORTED');
    expect(second.contents?.ticket).toBeGreaterThan(first.contents?.ticket ?? 0);
  });

  test('an attempt of another move is in the way until its lease ran out', () => {
    const site = new SiteUnderTest();
    site.open(1);
    expect(codeOf(() => site.open(1, { move: 'm2', nowMs: LEASE_MS - 1 }))).toBe('VOLUME_BUSY');
    site.open(1, { move: 'm2', nowMs: LEASE_MS });
    expect(attempts.getAttempt(site.state, ref(1)).state).toBe('ABORTED');
  });

  test('a wrong epoch, group or volume is refused, and so is a volume named twice', () => {
    const site = new SiteUnderTest();
    expect(codeOf(() => site.open(1, { epoch: 2 }))).toBe('EPOCH_MISMATCH');
    expect(codeOf(() => site.open(1, { from: G2, to: G1 }))).toBe('NOT_OWNER');
    expect(codeOf(() => site.open(1, { to: G1 }))).toBe('INVALID_REQUEST');
    expect(codeOf(() => site.open(1, { volumes: [V1, V1] }))).toBe('INVALID_REQUEST');
    expect(site.state.volume(V1).openAttempt).toBeUndefined();
  });

  test('rooms are reserved at the opening and given back by an abort', () => {
    const site = new SiteUnderTest();
    site.open(1, { volumes: [V1, V2] });
    expect(attempts.reservedIn(site.state, G2, 0)).toBe(2);
    attempts.resolveAttempt(site.state, ref(1), 'test', 0);
    expect(attempts.reservedIn(site.state, G2, 0)).toBe(0);
    site.state.groups.put(G2, { ...site.state.group(G2), volumesMax: 1 });
    expect(codeOf(() => site.open(2, { volumes: [V1, V2] }))).toBe('GROUP_FULL');
  });

  test('an attempt whose lease ran out neither shows as being in the way nor keeps its room', () => {
    const site = new SiteUnderTest();
    site.state.groups.put(G2, { ...site.state.group(G2), volumesMax: 1 });
    site.open(1, { volumes: [V1] });
    expect(attempts.attemptInTheWay(site.state, site.state.volume(V1), LEASE_MS - 1)).toEqual(ref(1));
    expect(codeOf(() => site.open(1, { move: 'm2', volumes: [V2], nowMs: LEASE_MS - 1 }))).toBe('GROUP_FULL');
    expect(attempts.attemptInTheWay(site.state, site.state.volume(V1), LEASE_MS)).toBeUndefined();
    expect(attempts.reservedIn(site.state, G2, LEASE_MS)).toBe(0);
    site.open(1, { move: 'm2', volumes: [V2], nowMs: LEASE_MS });
    expect(attempts.getAttempt(site.state, ref(1)).state).toBe('ABORTED');
  });
});

test('a lease is renewed, never shortened, and never beyond the deadline', () => {
  const site = new SiteUnderTest();
  site.open(1);
  const lease = (leaseMs: number, nowMs: number) =>
    attempts.renewAttempt(site.state, ref(1), leaseMs, nowMs).contents?.lease?.untilMs;
  expect(lease(LEASE_MS, 500)).toBe(1_500);
  expect(lease(1, 500)).toBe(1_500);
  expect(lease(LEASE_MS, DEADLINE_MS - 10)).toBe(DEADLINE_MS);
  attempts.resolveAttempt(site.state, ref(1), 'test', 0);
  expect(codeOf(() => lease(LEASE_MS, 600))).toBe('ATTEMPT_ABORTED');
});

describe('sealing', () => {
  test('nothing is sealed before it is applied, and nothing that was written beyond the cut', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 5);
    site.open(1);
    site.lineages.applied.set(V1, 4);
    expect(codeOf(() => attempts.sealAttempt(site.state, ref(1), [cut(5)], [], 0))).toBe('NOT_DRAINED');
    site.lineages.applied.delete(V1);
    expect(codeOf(() => attempts.sealAttempt(site.state, ref(1), [cut(4)], [], 0))).toBe('CUT_VOID');
    expect(codeOf(() => attempts.sealAttempt(site.state, ref(1), [cut(6)], [], 0))).toBe('NOT_DRAINED');
    expect(attempts.sealAttempt(site.state, ref(1), [cut(5)], [], 0).seals).toEqual([{ ...cut(5), position: 5 }]);
    expect(site.write(6)).toBe('PENDING_VERDICT');
  });

  test('a record that is accepted but not durable yet makes an earlier cut void', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 5);
    site.open(1);
    site.state.accept(V1, 1, 6);
    expect(codeOf(() => attempts.sealAttempt(site.state, ref(1), [cut(5)], [], 0))).toBe('CUT_VOID');
  });

  test('a cut of an earlier session holds if all of it arrived and nothing came since', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 5);
    site.open(1);
    site.attach(V1, 2);
    expect(attempts.drainProgress(site.state, ref(1), [cut(5)])).toMatchObject({ drained: true });
    expect(attempts.sealAttempt(site.state, ref(1), [cut(5)], [], 0).left).toBeDefined();
  });

  test('a cut whose writes were lost is void, even when later writes fill its place in the lineage', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 5);
    site.open(1);
    site.attach(V1, 2);
    expect(codeOf(() => attempts.drainProgress(site.state, ref(1), [cut(7)]))).toBe('CUT_VOID');
    site.writes(1, 2, V1, 2);
    expect(codeOf(() => attempts.sealAttempt(site.state, ref(1), [cut(7)], [], 0))).toBe('CUT_VOID');
  });

  test('sealing again at the same cut repeats the answer, at another one is refused', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 2);
    site.open(1);
    const sealed = attempts.sealAttempt(site.state, ref(1), [cut(2)], [], 0);
    expect(attempts.sealAttempt(site.state, ref(1), [cut(2)], [], 9)).toBe(sealed);
    expect(codeOf(() => attempts.sealAttempt(site.state, ref(1), [cut(1)], [], 0))).toBe('ATTEMPT_MISMATCH');
  });
});

describe('the verdict', () => {
  test('adopting needs the seal and its bookmark, and changes owner and epoch of every volume at once', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 2);
    site.open(1, { volumes: [V1, V2] });
    expect(codeOf(() => attempts.adoptAttempt(site.state, ref(1), momentAt(0)))).toBe('NOT_SEALED');
    attempts.sealAttempt(site.state, ref(1), [cut(2), cut(0, V2, 0)], [], 0);
    expect(codeOf(() => attempts.adoptAttempt(site.state, ref(1), momentAt(0)))).toBe('NOT_SEALED');
    attempts.bookmarkAttempt(site.state, ref(1), { name: 'before the move' });
    const adopted = attempts.adoptAttempt(site.state, ref(1), momentAt(7));
    expect([V1, V2].map((volume) => site.state.volume(volume))).toMatchObject([
      { group: G2, epoch: 2, sealed: false },
      { group: G2, epoch: 2, sealed: false },
    ]);
    expect(attempts.adoptAttempt(site.state, ref(1), momentAt(8))).toBe(adopted);
    expect(attempts.resolveAttempt(site.state, ref(1), 'too late', 9)).toBe(adopted);
  });

  test('an abort voids seal, point and bookmark, and is for ever', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 2);
    site.open(1);
    const { left } = attempts.sealAttempt(site.state, ref(1), [cut(2)], [], 0);
    attempts.bookmarkAttempt(site.state, ref(1));
    const aborted = attempts.resolveAttempt(site.state, ref(1), 'test', 0);
    expect(attempts.resolveAttempt(site.state, ref(1), 'again', 0)).toBe(aborted);
    expect(site.state.points.get(left?.point ?? '')).toBeUndefined();
    expect(codeOf(() => attempts.adoptAttempt(site.state, ref(1), momentAt(0)))).toBe('ATTEMPT_ABORTED');
    expect(site.write(3)).toBe('append');
  });

  test('a committed move whose mover never asks has its "joined" bookmark all the same, once', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 2);
    site.open(1);
    site.commit(ref(1), 1_000);
    const close = (nowMs: number) =>
      attempts.closeGroupPoint(
        site.state,
        { group: G2, kind: 'periodic', atMs: nowMs, cuts: [cut(2)], leftOut: [] },
        momentAt(nowMs),
      );
    expect(close(30_999).bookmark, 'its own mover may still ask').toBeUndefined();
    const joined = close(31_000);
    expect(joined).toMatchObject({ kind: 'joined', bookmark: { attempt: ref(1), pending: false } });
    expect(attempts.getAttempt(site.state, ref(1)).joined?.point).toBe(joined.id);
    expect(close(32_000).bookmark).toBeUndefined();
  });

  test('a point that has a bookmark keeps it: a joining move takes the next point', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 2);
    site.open(1);
    site.commit(ref(1));
    const close = (bookmark?: string) =>
      attempts.closeGroupPoint(
        site.state,
        { group: G2, kind: 'demand', atMs: 1, cuts: [cut(2)], leftOut: [], bookmark },
        momentAt(1),
      );
    const named = close('before the upgrade');
    expect(attempts.joinAttempt(site.state, ref(1), named.id).joined).toBeUndefined();
    expect(site.state.point(named.id).point.bookmark?.name).toBe('before the upgrade');
    const free = close();
    expect(attempts.joinAttempt(site.state, ref(1), free.id).joined?.point).toBe(free.id);
  });

  test('a volume behind the next move’s fence has not joined: it would be struck from the point at that commit', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 2);
    site.open(1);
    site.commit(ref(1));
    site.open(1, { move: 'm2', from: G2, to: G1 });
    const close = (n: number) =>
      attempts.closeGroupPoint(
        site.state,
        { group: G2, kind: 'demand', atMs: 1, cuts: [{ ...cut(n), fencedBy: ref(1, 'm2') }], leftOut: [] },
        momentAt(1),
      );
    expect(attempts.joinAttempt(site.state, ref(1), close(4).id).joined).toBeUndefined();
    attempts.resolveAttempt(site.state, ref(1, 'm2'), 'test', 0);
    site.writes(3, 4);
    const whole = close(4);
    expect(attempts.joinAttempt(site.state, ref(1), whole.id).joined?.point).toBe(whole.id);
  });

  test('there and back again: late duplicates of the first move change nothing', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 3);
    const opened = site.open(1);
    const first = site.commit(ref(1));
    site.writes(4, 6);
    site.open(1, { move: 'm2', from: G2, to: G1 });
    const second = site.commit(ref(1, 'm2'));
    expect(site.state.volume(V1)).toMatchObject({ group: G1, epoch: 3 });
    expect(attempts.adoptAttempt(site.state, ref(1), momentAt(0))).toBe(first);
    expect(attempts.resolveAttempt(site.state, ref(1), 'late', 0)).toBe(first);
    expect(site.open(1, { epoch: opened.contents?.volumes[0]?.epoch ?? 0 })).toBe(first);
    expect(
      codeOf(() => attempts.joinAttempt(site.state, ref(1), second.left?.point ?? (first.left?.point as never))),
    ).toBe('STALE_ATTEMPT');
    expect(site.state.volume(V1)).toMatchObject({ group: G1, epoch: 3 });
    expect(site.write(7, V1, 1, 2)).toBe('EPOCH_MISMATCH');
  });
});

test.each([
  ['nothing was written since', 0, true],
  ['something was written since', 1, undefined],
])('the bookmarks of a frozen cut say so, "joined" if %s', (_what, written, joined) => {
  const site = new SiteUnderTest();
  site.attach();
  site.writes(1, 3);
  const { attempt } = site.open(1);
  const frozen = { applicationConsistent: true } as const;
  attempts.sealAttempt(site.state, attempt, [cut(3)], [], 5, frozen);
  const { left } = attempts.bookmarkAttempt(site.state, attempt);
  attempts.adoptAttempt(site.state, attempt, momentAt(6));
  const bookmarkOf = (point: PointId | undefined) =>
    point === undefined ? undefined : site.state.point(point).point.bookmark;
  expect(bookmarkOf(left?.point)).toMatchObject({ pending: false, ...frozen });
  site.writes(4, 3 + written);
  const point = addPoint(site.state, { group: G2, kind: 'demand', atMs: 7, cuts: [cut(3 + written)], leftOut: [] });
  attempts.joinAttempt(site.state, attempt, point.id);
  expect(bookmarkOf(point.id)?.applicationConsistent).toBe(joined);
});
