// The way back of a reversible move: what the old group keeps for it, what it refuses meanwhile,
// and how it ends.
import { pino } from 'pino';
import { beforeEach, describe, expect, test } from 'vitest';
import type { AttemptRef } from '../../contracts/attempt.js';
import { moveIdSchema, type PointId } from '../../contracts/ids.js';
import { retentionPolicySchema } from '../../contracts/retention.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import { makeSpace } from '../../simulator/replica-site/core/journal-space.js';
import * as lifecycle from '../../simulator/replica-site/core/lifecycle.js';
import { pageOfGroups, pageOfPoints, pageOfWaysBack, siteVolume } from '../../simulator/replica-site/core/listings.js';
import { applyPolicy } from '../../simulator/replica-site/core/policy.js';
import { addPoint, pointsOf } from '../../simulator/replica-site/core/points.js';
import { EstateFollower } from '../../simulator/replica-site/estate-follower.js';
import * as waysBack from '../../simulator/replica-site/core/ways-back.js';
import { momentAt } from '../support/moment.js';
import { codeOf, cut, ESTATE, G1, G2, ref, SiteUnderTest, V1, V2 } from './site-core-fixture.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NOBODY: ReadonlySet<PointId> = new Set();
const POLICY = retentionPolicySchema.parse({
  keepAllMs: 10 * MINUTE_MS,
  hourlyMs: 20 * MINUTE_MS,
  dailyMs: 20 * MINUTE_MS,
  weeklyMs: 20 * MINUTE_MS,
});
/** The commit, and the end of the way back. */
const COMMIT_MS = HOUR_MS;
const END_MS = COMMIT_MS + 30 * MINUTE_MS;

let site: SiteUnderTest;
beforeEach(() => {
  site = new SiteUnderTest();
  site.state.groups.put(G1, { ...site.state.group(G1), retention: POLICY });
  site.attach();
  site.attach(V2);
  site.writes(1, 3);
  site.write(1, V2);
});

/** Moves volumes from g1 to g2 at COMMIT_MS, reversible for half an hour. */
function move(volumes = [V1]): AttemptRef {
  site.open(1, { volumes, nowMs: COMMIT_MS, reversibleForMs: END_MS - COMMIT_MS });
  site.commit(ref(1), COMMIT_MS);
  return ref(1);
}

function back(nowMs: number, volumes = [V1]): void {
  site.open(1, { move: 'back', volumes, from: G2, to: G1, nowMs });
  site.commit(ref(1, 'back'), nowMs);
}

const endOf = (attempt = ref(1)) => attempts.getAttempt(site.state, attempt).wayBack?.ended;
const keptIn = (nowMs: number) => [...attempts.keptIn(site.state, G1, momentAt(nowMs))];

test('a move that does not ask for it has no way back that is kept', () => {
  site.open(1, { nowMs: COMMIT_MS });
  site.commit(ref(1), COMMIT_MS);
  expect(attempts.getAttempt(site.state, ref(1)).wayBack).toBeUndefined();
  expect(keptIn(COMMIT_MS)).toEqual([]);
  const order = { move: ref(1).move, operator: 'sam', reason: 'done' };
  expect(codeOf(() => waysBack.finalizeMove(site.state, order, momentAt(COMMIT_MS)))).toBe('NOT_REVERSIBLE');
});

test('the commit opens it, until a time by the clock of ages', () => {
  const { attempt } = site.open(1, { nowMs: COMMIT_MS, reversibleForMs: HOUR_MS });
  expect(keptIn(COMMIT_MS)).toEqual([]);
  expect(site.commit(attempt, COMMIT_MS).wayBack).toEqual({ sinceMs: COMMIT_MS, untilMs: COMMIT_MS + HOUR_MS });
  // A repeated commit does not prolong it.
  expect(attempts.adoptAttempt(site.state, attempt, momentAt(COMMIT_MS + 5)).wayBack?.untilMs).toBe(
    COMMIT_MS + HOUR_MS,
  );
});

test('it outlives the process, and ends by itself though nobody notes it', () => {
  move();
  site.restart();
  expect(keptIn(END_MS - 1)).toEqual([V1]);
  expect(keptIn(END_MS)).toEqual([]);
  expect(endOf()).toBeUndefined();
  expect(waysBack.endLapsed(site.state, momentAt(END_MS - 1))).toEqual([]);
  expect(waysBack.endLapsed(site.state, momentAt(END_MS))).toHaveLength(1);
  expect(endOf()).toEqual({ atMs: END_MS, why: 'over' });
  expect(waysBack.endLapsed(site.state, momentAt(END_MS))).toEqual([]);
});

describe('the old group keeps a place', () => {
  beforeEach(() => {
    site.state.groups.put(G1, { ...site.state.group(G1), volumesMax: 2 });
  });

  const add = (nowMs: number): string =>
    codeOf(() => {
      const added = { volume: 'v9', splitter: 's1', sizeMiB: 1, group: G1, dryRun: false };
      lifecycle.addVolume(site.state, added as never, momentAt(nowMs));
    });

  test('which nobody else gets while it is open', () => {
    move();
    expect(pageOfGroups(site.state, { group: G1, limit: 1 }, momentAt(COMMIT_MS)).items[0]?.reserved).toBe(1);
    expect(add(COMMIT_MS)).toBe('CHANGE_REFUSED');
    expect(add(END_MS)).toBe('not refused');
  });

  test('which no other move takes', () => {
    site.open(1, { move: 'other', volumes: [V2], nowMs: 0 });
    site.commit(ref(1, 'other'));
    move();
    site.state.groups.put(G1, { ...site.state.group(G1), volumesMax: 1 });
    const take = (nowMs: number) =>
      codeOf(() => site.open(1, { move: 'taker', volumes: [V2], from: G2, to: G1, nowMs }));
    expect(take(COMMIT_MS)).toBe('GROUP_FULL');
    expect(take(END_MS)).toBe('not refused');
  });

  test('which the way back takes, and does not count twice meanwhile', () => {
    move();
    const reserved = () => pageOfGroups(site.state, { group: G1, limit: 1 }, momentAt(COMMIT_MS)).items[0]?.reserved;
    site.open(1, { move: 'back', from: G2, to: G1, nowMs: COMMIT_MS });
    expect(reserved()).toBe(1);
    expect(keptIn(COMMIT_MS)).toEqual([]);
    attempts.resolveAttempt(site.state, ref(1, 'back'), 'by hand', COMMIT_MS);
    expect([reserved(), keptIn(COMMIT_MS)]).toEqual([1, [V1]]);
  });

  test('even if it has become smaller: the promise was given before', () => {
    move();
    site.state.groups.put(G1, { ...site.state.group(G1), volumesMax: 1 });
    expect(codeOf(() => site.open(1, { move: 'back', from: G2, to: G1, nowMs: COMMIT_MS }))).toBe('not refused');
  });

  test('and does not become smaller, move to another appliance, or end', () => {
    move([V1, V2]);
    const change = (given: object) =>
      codeOf(() => lifecycle.setGroup(site.state, { group: G1, dryRun: false, ...given }, momentAt(COMMIT_MS)));
    expect(change({ volumesMax: 1 })).toBe('CHANGE_REFUSED');
    expect(change({ appliance: 'a9' })).toBe('CHANGE_REFUSED');
    expect(change({ retention: { hourlyMs: 11 * MINUTE_MS } })).toBe('CHANGE_REFUSED');
    expect(change({ retention: { hourlyMs: 2 * HOUR_MS } })).toBe('not refused');
    const retire = (nowMs: number) =>
      codeOf(() => lifecycle.retireGroup(site.state, { group: G1, dryRun: false }, momentAt(nowMs)));
    expect(retire(COMMIT_MS)).toBe('CHANGE_REFUSED');
    expect(retire(END_MS)).toBe('not refused');
  });
});

test('the estate file changes the old group only once the way back has ended', () => {
  move();
  const [gold, ...others] = ESTATE.groups;
  if (gold === undefined) throw new Error('the estate has a group');
  const changed = { ...ESTATE, groups: [{ ...gold, volumesMax: 7 }, ...others] };
  followEstate(site.state, changed, END_MS);
  expect(site.state.group(G1).volumesMax).not.toBe(7);
  waysBack.endLapsed(site.state, momentAt(END_MS));
  followEstate(site.state, changed, END_MS);
  expect(site.state.group(G1).volumesMax).toBe(7);
});

test('a start follows the estate file though nobody had noted yet that the way back was over', () => {
  move();
  const [gold, ...others] = ESTATE.groups;
  if (gold === undefined) throw new Error('the estate has a group');
  const changed = { ...ESTATE, groups: [{ ...gold, volumesMax: 7 }, ...others] };
  const startAt = (nowMs: number): number => {
    const change = <T>(rule: (state: typeof site.state, now: ReturnType<typeof momentAt>) => T): T =>
      rule(site.state, momentAt(nowMs));
    new EstateFollower({ change, state: site.state }, changed, pino({ level: 'silent' })).follow();
    return site.state.group(G1).volumesMax;
  };
  expect(startAt(END_MS - 1)).not.toBe(7);
  expect(startAt(END_MS)).toBe(7);
});

describe('while it is open, its volumes', () => {
  test('move nowhere else, and not one without the other', () => {
    move([V1, V2]);
    const other = { ...site.state.group(G2), group: 'g3' as never };
    site.state.groups.put('g3', other);
    const to = (target: string, volumes: (typeof V1)[], nowMs = COMMIT_MS) =>
      codeOf(() => site.open(1, { move: `to-${target}`, volumes, from: G2, to: target as never, nowMs }));
    expect(to('g3', [V1, V2])).toBe('STILL_REVERSIBLE');
    expect(to(G1, [V1])).toBe('STILL_REVERSIBLE');
    expect(to(G1, [V1, V2])).toBe('not refused');
    attempts.resolveAttempt(site.state, ref(1, `to-${G1}`), 'by hand', COMMIT_MS);
    expect(to('g3', [V1], END_MS)).toBe('not refused');
  });

  test('are not retired, and may grow', () => {
    move();
    const retire = (nowMs: number) =>
      codeOf(() => lifecycle.retireVolume(site.state, { volume: V1, dryRun: false }, momentAt(nowMs)));
    expect(retire(COMMIT_MS)).toBe('CHANGE_REFUSED');
    const grown = { volume: V1, sizeMiB: 2, dryRun: false };
    expect(lifecycle.growVolume(site.state, grown, momentAt(COMMIT_MS)).changed).toBe(true);
    expect(retire(END_MS)).toBe('not refused');
  });

  test('say so wherever they are listed', () => {
    move();
    const shown = { move: 'm1', to: G1, untilMs: END_MS, volumes: 1 };
    expect(siteVolume(site.state, site.state.volume(V1), momentAt(COMMIT_MS)).wayBack).toEqual(shown);
    expect(siteVolume(site.state, site.state.volume(V1), momentAt(END_MS)).wayBack).toBeUndefined();
    expect(pageOfWaysBack(site.state, { limit: 5 }, COMMIT_MS).items).toEqual([
      { move: 'm1', volumes: [V1], group: G2, to: G1, untilMs: END_MS },
    ]);
    expect(pageOfWaysBack(site.state, { limit: 5 }, END_MS).items).toEqual([]);
    expect(pageOfPoints(site.state, { volume: V1, limit: 5 }).owners.map(({ wayBack }) => wayBack?.untilMs)).toEqual([
      undefined,
      END_MS,
    ]);
  });
});

describe('it ends', () => {
  test('with the move back, which keeps both histories', () => {
    move();
    back(COMMIT_MS + MINUTE_MS);
    expect(endOf()).toEqual({ atMs: COMMIT_MS + MINUTE_MS, why: 'reversed', move: 'back' });
    expect(site.state.ownersOf(V1).map(({ group }) => group)).toEqual([G1, G2, G1]);
    expect(keptIn(COMMIT_MS + MINUTE_MS)).toEqual([]);
  });

  test('by hand, once, with who and why', () => {
    const { move: moved } = move();
    const end = (operator: string, nowMs: number) =>
      waysBack.finalizeMove(site.state, { move: moved, operator, reason: 'it works' }, momentAt(nowMs)).wayBack?.ended;
    const ended = { atMs: COMMIT_MS + 1, why: 'finalized', operator: 'sam', reason: 'it works' };
    expect(end('sam', COMMIT_MS + 1)).toEqual(ended);
    expect(end('kim', COMMIT_MS + 2)).toEqual(ended);
    expect(keptIn(COMMIT_MS + 2)).toEqual([]);
  });

  test('by its time, also when somebody ends it after that', () => {
    const { move: moved } = move();
    const order = { move: moved, operator: 'sam', reason: 'late' };
    expect(waysBack.finalizeMove(site.state, order, momentAt(END_MS)).wayBack?.ended?.why).toBe('over');
  });

  test('when the site has taken over a later owner from the splitter', () => {
    move();
    site.claim(V1, { epoch: 9, group: G1, session: 2 });
    expect(keptIn(COMMIT_MS)).toEqual([]);
    waysBack.endLapsed(site.state, momentAt(COMMIT_MS));
    expect(endOf()?.why).toBe('lost');
  });

  test('not of a move that is unknown, or not committed yet', () => {
    const order = { move: moveIdSchema.parse('m7'), operator: 'sam', reason: 'x' };
    expect(codeOf(() => waysBack.finalizeMove(site.state, order, momentAt(0)))).toBe('ATTEMPT_NOT_FOUND');
    site.open(1, { reversibleForMs: HOUR_MS });
    const early = { ...order, move: ref(1).move };
    expect(() => waysBack.finalizeMove(site.state, early, momentAt(0))).toThrow('it is not committed yet');
  });
});

describe('the old group keeps its points of the volume', () => {
  const point = (atMs: number, volume: typeof V1, n: number): PointId =>
    addPoint(site.state, { group: G1, kind: 'periodic', atMs, cuts: [cut(n, volume)], leftOut: [] }, momentAt(atMs)).id;
  const left = () => pointsOf(site.state, { group: G1 }).map(({ id }) => id);

  test('as they were at the commit: they don’t age while it is open, and others do', () => {
    const tooOld = point(COMMIT_MS - 25 * MINUTE_MS, V1, 1);
    const held = point(COMMIT_MS - 5 * MINUTE_MS, V1, 2);
    const others = point(COMMIT_MS - 4 * MINUTE_MS, V2, 0);
    move();
    const newest = point(END_MS - 1, V2, 0);
    applyPolicy(site.state, G1, END_MS - 1, NOBODY);
    const kept = left();
    expect(kept).toContain(held);
    expect(kept).toContain(newest);
    expect(kept).not.toContain(others);
    expect(kept).not.toContain(tooOld);
    applyPolicy(site.state, G1, END_MS, NOBODY);
    expect(left()).toEqual([newest]);
  });

  test('a chain of ways back holds no point for longer than the oldest of them', () => {
    const held = point(COMMIT_MS - 5 * MINUTE_MS, V1, 2);
    point(END_MS + 5 * MINUTE_MS, V2, 0);
    move();
    back(COMMIT_MS + MINUTE_MS);
    site.open(1, { move: 'again', nowMs: COMMIT_MS + 18 * MINUTE_MS, reversibleForMs: HOUR_MS });
    site.commit(ref(1, 'again'), COMMIT_MS + 18 * MINUTE_MS);
    applyPolicy(site.state, G1, COMMIT_MS + 18 * MINUTE_MS, NOBODY);
    expect(left()).not.toContain(held);
  });

  test('when the journal is full, too, and says why it stays full', () => {
    const held = point(COMMIT_MS - 5 * MINUTE_MS, V1, 2);
    const others = point(COMMIT_MS - 4 * MINUTE_MS, V2, 0);
    move();
    point(COMMIT_MS + 1, V2, 0);
    const costs = new Map([...site.state.points.values()].map((row) => [row.point.id, 64 * 1024 ** 3]));
    makeSpace(site.state, G1, costs, COMMIT_MS + 2, NOBODY);
    expect(left()).toContain(held);
    expect(left()).not.toContain(others);
    makeSpace(site.state, G1, costs, COMMIT_MS + 3, NOBODY);
    expect(site.state.group(G1).journal.alert?.message).toContain('points that a reversible move holds');
    makeSpace(site.state, G1, costs, END_MS, NOBODY);
    expect(left()).not.toContain(held);
  });
});
