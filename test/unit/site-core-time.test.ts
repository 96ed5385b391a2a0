// The rules of the replica site under clocks that jump and processes that live anew: leases, the
// order of points, ages, owners.
import { describe, expect, test } from 'vitest';
import { estateSchema } from '../../contracts/estate.js';
import type { PointId } from '../../contracts/ids.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import { retentionPolicySchema } from '../../contracts/retention.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import { pageOfPoints } from '../../simulator/replica-site/core/listings.js';
import { doubtAbout } from '../../simulator/replica-site/core/point-doubt.js';
import { findPoint, markPoint, pointsOf } from '../../simulator/replica-site/core/points.js';
import { applyPolicy, newestAgeMs } from '../../simulator/replica-site/core/policy.js';
import { SiteState, EMPTY_SITE, TABLE_NAMES, type SiteRows } from '../../simulator/replica-site/core/state.js';
import type { RowChange } from '../../simulator/replica-site/core/table.js';
import { momentAt } from '../support/moment.js';
import {
  codeOf,
  cut,
  DEADLINE_MS,
  ESTATE,
  G1,
  G2,
  LEASE_MS,
  MemoryLineages,
  ref,
  SiteUnderTest,
  V1,
  V2,
} from './site-core-fixture.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NOON_MS = Date.UTC(2026, 10, 28, 12);
const NOBODY: ReadonlySet<PointId> = new Set();

/** A store that outlives its site. */
class Rows {
  readonly #tables = new Map<string, Map<string, unknown>>(TABLE_NAMES.map((name) => [name, new Map()]));
  readonly lineages = new MemoryLineages();
  #lives = 0;

  take(changes: readonly RowChange[]): void {
    for (const { table, key, value } of changes) {
      if (value === undefined) this.#tables.get(table)?.delete(key);
      else this.#tables.get(table)?.set(key, JSON.parse(JSON.stringify(value)));
    }
  }

  /** A new life of the process; its monotonic clock may begin anywhere. */
  live(beganAtMs: number): SiteState {
    const rows = { ...EMPTY_SITE };
    for (const name of TABLE_NAMES) Object.assign(rows, { [name]: [...(this.#tables.get(name) ?? [])] });
    const state = new SiteState(rows satisfies SiteRows, this.lineages);
    this.#lives += 1;
    state.beginLife({ number: this.#lives, beganAtMs });
    followEstate(state, estateSchema.parse(ESTATE), 0);
    return state;
  }
}

function opened(state: SiteState, nowMs: number, move = 'm1'): unknown {
  return attempts.openAttempt(
    state,
    {
      attempt: ref(1, move),
      volumes: [{ volume: V1, splitter: ESTATE.splitters[0]?.id ?? ('' as never), epoch: 1 }],
      from: G1,
      to: G2,
      leaseMs: LEASE_MS,
      deadlineAfterMs: DEADLINE_MS,
    },
    { ...momentAt(nowMs), wallMs: NOON_MS },
  );
}

describe('a lease', () => {
  test('runs by the monotonic clock, whatever the wall clock says', () => {
    const site = new SiteUnderTest();
    attempts.openAttempt(
      site.state,
      {
        attempt: ref(1),
        volumes: [{ volume: V1, splitter: site.state.volume(V1).splitter, epoch: 1 }],
        from: G1,
        to: G2,
        leaseMs: LEASE_MS,
        deadlineAfterMs: DEADLINE_MS,
      },
      { ...momentAt(10), wallMs: NOON_MS },
    );
    expect(attempts.attemptInTheWay(site.state, site.state.volume(V1), 10 + LEASE_MS - 1)).toEqual(ref(1));
    expect(attempts.attemptInTheWay(site.state, site.state.volume(V1), 10 + LEASE_MS)).toBeUndefined();
  });

  test('runs anew, in full, from the start of another life, and the deadline with what was left of it', () => {
    const rows = new Rows();
    const first = rows.live(1_000_000);
    opened(first, 1_000_100);
    attempts.renewAttempt(first, ref(1), LEASE_MS, 1_000_100 + DEADLINE_MS - 3 * LEASE_MS);
    rows.take(first.changes());
    // The monotonic clock of this life begins far below that of the first.
    const second = rows.live(50);
    expect(attempts.attemptInTheWay(second, second.volume(V1), 50 + LEASE_MS - 1)).toEqual(ref(1));
    expect(attempts.reservedIn(second, G2, 50 + LEASE_MS - 1)).toBe(1);
    expect(attempts.attemptInTheWay(second, second.volume(V1), 50 + LEASE_MS)).toBeUndefined();
    const renewed = attempts.renewAttempt(second, ref(1), 10 * DEADLINE_MS, 50);
    expect(renewed.contents?.lease).toMatchObject({ untilMs: 50 + 3 * LEASE_MS, ms: 3 * LEASE_MS });
  });

  test('of an attempt that an earlier version stored, by a wall clock, runs from the start for as long as one does by default', () => {
    const rows = new Rows();
    const first = rows.live(0);
    opened(first, 0);
    const record = attempts.getAttempt(first, ref(1));
    const { lease: _lease, deadline: _deadline, pointOrder: _order, ...contents } = record.contents ?? ({} as never);
    first.putAttempt({ ...record, contents: { ...contents, leaseExpiresAtMs: 5, deadlineMs: 5 } });
    rows.take(first.changes());
    const second = rows.live(7);
    expect(attempts.attemptInTheWay(second, second.volume(V1), 7 + MINUTE_MS - 1)).toEqual(ref(1));
    expect(attempts.attemptInTheWay(second, second.volume(V1), 7 + MINUTE_MS)).toBeUndefined();
  });
});

/**
 * Points closed one after the other, each with a time of its own by the splitters' clock; true time
 * goes on by 5 s.
 */
function closed(site: SiteUnderTest, labelsMs: readonly number[], beganMs = NOON_MS): RecoveryPoint[] {
  return labelsMs.map((atMs, i) => {
    const trueMs = beganMs + i * 5_000;
    return attempts.closeGroupPoint(
      site.state,
      { group: G1, kind: 'periodic', atMs, cuts: [], leftOut: [] },
      { monotonicMs: i * 5_000, wallMs: trueMs, ageMs: trueMs },
    );
  });
}

const labels = (points: readonly RecoveryPoint[]): number[] => points.map(({ atMs }) => atMs);

describe('points', () => {
  test('keep the order in which they were closed and the time that was on the clock, though it went back', () => {
    const site = new SiteUnderTest();
    const times = [0, 5_000, -10 * MINUTE_MS, -10 * MINUTE_MS + 5_000].map((ms) => NOON_MS + ms);
    const points = closed(site, times);
    expect(labels(points)).toEqual(times);
    expect(pointsOf(site.state, { group: G1 })).toEqual(points);
    expect(findPoint(site.state, { group: G1 }).id).toBe(points[3]?.id);
    expect(points.map(({ clock }) => clock?.doubt !== undefined)).toEqual([false, false, true, true]);
    const [first] = pageOfPoints(site.state, { group: G1, limit: 3 }).items;
    const { next } = pageOfPoints(site.state, { group: G1, limit: 3 });
    expect(first?.id).toBe(points[0]?.id);
    expect(pageOfPoints(site.state, { group: G1, limit: 3, cursor: next }).items).toEqual(points.slice(3));
  });

  test('whose clocks differ by a little have times that grow', () => {
    const site = new SiteUnderTest();
    expect(labels(closed(site, [NOON_MS, NOON_MS - 20, NOON_MS - 40, NOON_MS + 5_000]))).toEqual([
      NOON_MS,
      NOON_MS + 1,
      NOON_MS + 2,
      NOON_MS + 5_000,
    ]);
  });

  test('are found by a time as the timeline was written, with a word where a clock was in doubt', () => {
    const site = new SiteUnderTest();
    const [a, b, wrong, after] = closed(site, [NOON_MS, NOON_MS + 5_000, NOON_MS + 31 * DAY_MS, NOON_MS + 15_000]);
    const found = (atMs: number): RecoveryPoint => findPoint(site.state, { group: G1, atMs });
    const doubt = (atMs: number): string | undefined => doubtAbout(site.state, { group: G1 }, found(atMs), atMs);
    expect(found(NOON_MS + 1_000).id).toBe(a?.id);
    expect(doubt(NOON_MS + 1_000), 'nothing is in doubt there').toBeUndefined();
    expect(found(NOON_MS + 12_000).id).toBe(b?.id);
    expect(doubt(NOON_MS + 12_000)).toContain(`${wrong?.id}`);
    expect(found(NOON_MS + 20_000).id).toBe(after?.id);
    expect(found(NOON_MS + 40 * DAY_MS).id, 'the last one, not the one with the latest time').toBe(after?.id);
  });

  test('a snapshot stands where its cut was taken, by what it holds, though clocks were set meanwhile', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 2);
    site.attach(V2);
    site.writes(1, 9, V2);
    let trueMs = NOON_MS;
    const close = (n: number, atMs: number): PointId =>
      attempts.closeGroupPoint(
        site.state,
        { group: G1, kind: 'periodic', atMs, cuts: [cut(n, V2)], leftOut: [] },
        momentAt((trueMs += 5_000)),
      ).id;
    const first = close(1, NOON_MS);
    site.open(1);
    const early = close(3, NOON_MS + DAY_MS);
    const late = close(6, NOON_MS - HOUR_MS);
    const now = momentAt(trueMs);
    const { left } = attempts.sealAttempt(site.state, ref(1), [cut(2)], [cut(5, V2)], NOON_MS + 7_000, { now });
    expect(pointsOf(site.state, { group: G1 }).map(({ id }) => id)).toEqual([first, early, left?.point, late]);
  });

  test('a snapshot that is sealed while an older point still waits for its writes comes after that point', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 2);
    site.attach(V2);
    site.writes(1, 9, V2);
    const close = (n: number, atMs: number): RecoveryPoint =>
      attempts.closeGroupPoint(
        site.state,
        { group: G1, kind: 'periodic', atMs, cuts: [cut(n, V2)], leftOut: [] },
        momentAt(NOON_MS),
      );
    site.open(1);
    const { left } = attempts.sealAttempt(site.state, ref(1), [cut(2)], [cut(5, V2)], NOON_MS, {
      now: momentAt(NOON_MS),
    });
    const older = close(4, NOON_MS - 1_000);
    const newer = close(6, NOON_MS + 1_000);
    expect(pointsOf(site.state, { group: G1 }).map(({ id }) => id)).toEqual([older.id, left?.point, newer.id]);
    expect(older.atMs, 'nor has it a later time').toBe(NOON_MS - 1_000);
    const [first, second, third] = [0, 1, 2].map((skip) => {
      let cursor: string | undefined;
      let found: string | undefined;
      for (let i = 0; i <= skip; i += 1) {
        const page = pageOfPoints(site.state, { group: G1, limit: 1, cursor });
        found = page.items[0]?.id;
        cursor = page.next;
      }
      return found;
    });
    expect([first, second, third]).toEqual([older.id, left?.point, newer.id]);
  });

  test('of a volume are in the order of its lineage, wherever the snapshot of the group that it left was placed', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 2);
    site.attach(V2);
    site.writes(1, 9, V2);
    const close = (group: typeof G1, cuts: ReturnType<typeof cut>[], atMs: number): PointId =>
      attempts.closeGroupPoint(site.state, { group, kind: 'periodic', atMs, cuts, leftOut: [] }, momentAt(NOON_MS)).id;
    site.open(1);
    attempts.sealAttempt(site.state, ref(1), [cut(2)], [cut(5, V2)], NOON_MS, { now: momentAt(NOON_MS) });
    attempts.bookmarkAttempt(site.state, ref(1));
    const { left } = attempts.adoptAttempt(site.state, ref(1), momentAt(NOON_MS));
    site.write(3, V1, 1, 2);
    const joined = close(G2, [cut(3)], NOON_MS + 1_000);
    // Its writes were late: it is older than the snapshot, which follows it from now on.
    const late = close(G1, [cut(4, V2)], NOON_MS - 1_000);
    expect(pointsOf(site.state, { group: G1 }).map(({ id }) => id)).toEqual([late, left?.point]);
    expect(pointsOf(site.state, { volume: V1 }).map(({ id }) => id)).toEqual([left?.point, joined]);
    expect(findPoint(site.state, { volume: V1 }).id).toBe(joined);
    const { next } = pageOfPoints(site.state, { volume: V1, limit: 1 });
    expect(pageOfPoints(site.state, { volume: V1, limit: 1, cursor: next }).items.map(({ id }) => id)).toEqual([
      joined,
    ]);
  });

  test('of earlier versions come first, in the order of their times', () => {
    const site = new SiteUnderTest();
    const [kept] = closed(site, [NOON_MS]);
    for (const [id, atMs] of [
      ['p000000900', NOON_MS + DAY_MS],
      ['p000000800', NOON_MS + 2 * DAY_MS],
    ] as const) {
      const { order: _order, clock: _clock, ...old } = kept ?? ({} as never);
      site.state.points.put(id, { point: { ...old, id: id as PointId, atMs }, provisionalMarks: {} });
    }
    const order = pointsOf(site.state, { group: G1 }).map(({ id }) => id);
    expect(order).toEqual(['p000000900', 'p000000800', kept?.id]);
  });
});

describe('ages', () => {
  const policy = retentionPolicySchema.parse({ keepAllMs: HOUR_MS, hourlyMs: 0, dailyMs: 0, weeklyMs: 0 });

  test('count by the clock of ages: a time that is two hours off drops nothing that is to be kept for an hour', () => {
    const site = new SiteUnderTest();
    site.state.groups.put(G1, { ...site.state.group(G1), retention: policy });
    const points = closed(site, [NOON_MS - 2 * HOUR_MS, NOON_MS + 2 * HOUR_MS, NOON_MS + 31 * DAY_MS, NOON_MS]);
    expect(applyPolicy(site.state, G1, NOON_MS + HOUR_MS, NOBODY)).toBe(0);
    expect(applyPolicy(site.state, G1, NOON_MS + HOUR_MS + 5_001, NOBODY)).toBe(2);
    expect(pointsOf(site.state, { group: G1 })).toEqual(points.slice(2));
  });

  test('of bookmarks count from the clock of ages too', () => {
    const site = new SiteUnderTest();
    const [point] = closed(site, [NOON_MS + 31 * DAY_MS]);
    const marked = markPoint(
      site.state,
      { point: point?.id ?? ('' as never), name: 'x', keep: { forMs: 7 * DAY_MS } },
      NOON_MS,
    );
    expect(marked.bookmark?.keep).toEqual({ untilMs: NOON_MS + 7 * DAY_MS });
  });

  test('go on from what was stored last, or stamped on a point; a store of an earlier version begins at its newest point', () => {
    const site = new SiteUnderTest();
    expect(newestAgeMs(site.state, NOON_MS)).toBeUndefined();
    closed(site, [NOON_MS]);
    site.state.storeAge(NOON_MS - 5);
    expect(newestAgeMs(site.state, NOON_MS + DAY_MS)).toBe(NOON_MS);
    site.state.storeAge(NOON_MS + 5);
    expect(newestAgeMs(site.state, 0)).toBe(NOON_MS + 5);
    const old = new SiteUnderTest();
    old.state.points.put('p1', {
      point: { id: 'p1' as PointId, group: G1, kind: 'periodic', atMs: NOON_MS, members: [], leftOut: [] },
      provisionalMarks: {},
    });
    expect(newestAgeMs(old.state, NOON_MS + DAY_MS)).toBe(NOON_MS);
    expect(newestAgeMs(old.state, NOON_MS - DAY_MS)).toBe(NOON_MS - DAY_MS);
  });
});

test('who owned a volume when is in the order of the commits, though the clock was set back between them', () => {
  const site = new SiteUnderTest();
  site.attach();
  site.writes(1, 2);
  site.open(1);
  site.commit(ref(1), NOON_MS);
  site.open(1, { move: 'm2', from: G2, to: G1 });
  site.commit(ref(1, 'm2'), NOON_MS - DAY_MS);
  expect(site.state.ownersOf(V1).map(({ epoch, group }) => [epoch, group])).toEqual([
    [1, G1],
    [2, G2],
    [3, G1],
  ]);
  expect(site.state.ownersOf(V1).at(-1)?.toPosition).toBeUndefined();
});

test('a committed move whose mover is gone is waited for by the monotonic clock, over a restart from its start', () => {
  const rows = new Rows();
  const first = rows.live(0);
  opened(first, 0);
  attempts.sealAttempt(first, ref(1), [cut(0, V1, 0)], [], NOON_MS);
  attempts.bookmarkAttempt(first, ref(1));
  attempts.adoptAttempt(first, ref(1), { ...momentAt(5_000), wallMs: NOON_MS });
  rows.take(first.changes());
  const second = rows.live(100);
  const close = (monotonicMs: number, wallMs: number): RecoveryPoint =>
    attempts.closeGroupPoint(
      second,
      { group: G2, kind: 'periodic', atMs: wallMs, cuts: [cut(0, V1, 0)], leftOut: [] },
      { monotonicMs, wallMs, ageMs: wallMs },
    );
  expect(close(100 + 29_999, NOON_MS + DAY_MS).bookmark).toBeUndefined();
  expect(close(100 + 30_000, NOON_MS - DAY_MS).bookmark).toMatchObject({ attempt: ref(1) });
  expect(codeOf(() => attempts.getAttempt(second, ref(2)))).toBe('ATTEMPT_NOT_FOUND');
  expect(second.membersOf(G1).map(({ volume }) => volume)).toEqual([V2]);
});
