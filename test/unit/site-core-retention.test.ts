// The rules of retention: what a policy keeps, what a full journal drops, and what is never
// dropped.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PointId } from '../../contracts/ids.js';
import { retentionPolicySchema, type KeepRequest, type RetentionPolicy } from '../../contracts/retention.js';
import { accountFor, makeSpace } from '../../simulator/replica-site/core/journal-space.js';
import { applyPolicy, beyondPolicy } from '../../simulator/replica-site/core/policy.js';
import { addPoint, markPoint, pointsOf } from '../../simulator/replica-site/core/points.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { G1, G2, SiteUnderTest, V1, codeOf, cut, ref } from './site-core-fixture.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NOBODY: ReadonlySet<PointId> = new Set();
/** A Monday, noon UTC. */
const NOON_MS = Date.UTC(2026, 0, 5, 12);
const policy = retentionPolicySchema.parse({
  keepAllMs: HOUR_MS,
  hourlyMs: DAY_MS,
  dailyMs: 7 * DAY_MS,
  weeklyMs: 28 * DAY_MS,
});

function siteWith(
  points: readonly { readonly atMs: number; readonly bookmark?: string; readonly keep?: KeepRequest }[],
  retention: RetentionPolicy = policy,
): SiteUnderTest {
  const site = new SiteUnderTest();
  site.state.groups.put(G1, { ...site.state.group(G1), retention });
  for (const point of points) addPoint(site.state, { group: G1, kind: 'periodic', cuts: [], leftOut: [], ...point });
  return site;
}

const timesOf = (site: SiteUnderTest): number[] => pointsOf(site.state, { group: G1 }).map((point) => point.atMs);

describe('a policy', () => {
  test('keeps every point of its first period and then the first of each hour, day and week', () => {
    const everyTen: number[] = [];
    for (let atMs = NOON_MS - 40 * DAY_MS; atMs <= NOON_MS; atMs += 10 * MINUTE_MS) everyTen.push(atMs);
    const site = siteWith(everyTen.map((atMs) => ({ atMs })));
    applyPolicy(site.state, G1, NOON_MS, NOBODY);
    const ages = timesOf(site).map((atMs) => (NOON_MS - atMs) / HOUR_MS);
    const weekly = ages.filter((age) => age > 7 * 24);
    const daily = ages.filter((age) => age > 24 && age <= 7 * 24);
    const hourly = ages.filter((age) => age > 1 && age <= 24);
    // Weeks begin on Monday at midnight; the oldest one is cut by the end of the period.
    expect(weekly).toEqual([672, 516, 348, 180]);
    expect(daily.map((age) => age % 24)).toEqual(daily.map(() => 12));
    expect(daily).toHaveLength(6);
    expect(hourly.every((age) => Number.isInteger(age))).toBe(true);
    expect(hourly).toHaveLength(23);
    expect(ages.filter((age) => age <= 1)).toHaveLength(7);
  });

  test('drops nothing that it kept a moment ago, except what has come to another period', () => {
    const spacing = fc.array(fc.integer({ min: 1, max: 5 * HOUR_MS }), { minLength: 1, maxLength: 80 });
    fc.assert(
      fc.property(spacing, fc.integer({ min: 1, max: 3 * DAY_MS }), (gaps, laterMs) => {
        let atMs = NOON_MS;
        const site = siteWith(gaps.map((gap) => ({ atMs: (atMs += gap) })));
        const before = new Set(timesOf(site));
        applyPolicy(site.state, G1, atMs, NOBODY);
        const once = timesOf(site);
        applyPolicy(site.state, G1, atMs, NOBODY);
        expect(timesOf(site)).toEqual(once);
        applyPolicy(site.state, G1, atMs + laterMs, NOBODY);
        const later = timesOf(site);
        expect(later.at(-1)).toBe(atMs);
        expect(later.every((time) => once.includes(time) && before.has(time))).toBe(true);
        for (const time of once.filter((kept) => atMs + laterMs - kept <= policy.keepAllMs))
          expect(later).toContain(time);
      }),
    );
  });

  test('lets bookmarks live by their own keep, whatever is thinned around them', () => {
    const oldMs = NOON_MS - 30 * DAY_MS;
    const site = siteWith([
      { atMs: oldMs, bookmark: 'by policy' },
      { atMs: oldMs + 1, bookmark: 'for ever', keep: 'forever' },
      { atMs: oldMs + 2, bookmark: 'long', keep: { forMs: 60 * DAY_MS } },
      { atMs: oldMs + 3, bookmark: 'short', keep: { forMs: DAY_MS } },
      { atMs: NOON_MS - 20 * DAY_MS },
      { atMs: NOON_MS - 20 * DAY_MS + 1, bookmark: 'second of its week' },
      { atMs: NOON_MS },
    ]);
    applyPolicy(site.state, G1, NOON_MS, NOBODY);
    expect(pointsOf(site.state, { group: G1 }).map(({ bookmark }) => bookmark?.name)).toEqual([
      'for ever',
      'long',
      undefined,
      'second of its week',
      undefined,
    ]);
  });

  test('keeps the first plain point of an hour, though a bookmark of the same hour is older', () => {
    const hourMs = NOON_MS - 10 * HOUR_MS;
    const site = siteWith([
      { atMs: hourMs + 1, bookmark: 'kept', keep: 'forever' },
      { atMs: hourMs + 2 },
      { atMs: hourMs + 3 },
      { atMs: NOON_MS },
    ]);
    applyPolicy(site.state, G1, NOON_MS, NOBODY);
    expect(timesOf(site)).toEqual([hourMs + 1, hourMs + 2, NOON_MS]);
  });

  test('never takes the newest point, what a running move has pinned, or what is open', () => {
    const site = siteWith([{ atMs: 1 }, { atMs: 2 }]);
    site.attach();
    site.writes(1, 1);
    site.open(1);
    const { left } = attempts.sealAttempt(site.state, ref(1), [cut(1)], [], 3);
    addPoint(site.state, { group: G1, kind: 'periodic', atMs: 4, cuts: [], leftOut: [] });
    const [first, second] = pointsOf(site.state, { group: G1 });
    const inUse = new Set(second === undefined ? [] : [second.id]);
    expect(beyondPolicy(site.state.pointsOfGroup(G1), policy, NOON_MS, inUse)).toEqual([first?.id]);
    expect(left?.point).toBeDefined();
  });

  test('keeps a point of an hour beside the snapshot of a running move, which an abort voids', () => {
    const site = new SiteUnderTest();
    site.attach();
    site.writes(1, 1);
    site.open(1);
    const { left } = attempts.sealAttempt(site.state, ref(1), [cut(1)], [], 3);
    const close = (atMs: number) =>
      addPoint(site.state, { group: G1, kind: 'periodic', atMs, cuts: [], leftOut: [] }).id;
    const [second] = [close(4), close(3 * HOUR_MS)];
    const gone = beyondPolicy(site.state.pointsOfGroup(G1), policy, 3 * HOUR_MS, new Set());
    expect(left?.point).toBeDefined();
    expect(gone).not.toContain(second);
  });
});

describe('a full journal', () => {
  const small = { ...policy, journalBytesMax: 100 };
  const costing = (site: SiteUnderTest, bytes: number): Map<PointId, number> =>
    new Map(pointsOf(site.state, { group: G1 }).map((point) => [point.id, bytes]));

  test('drops the oldest points of its own group only, says so, and calms down once well below the limit', () => {
    const site = siteWith(
      [1, 2, 3, 4, 5].map((atMs) => ({ atMs })),
      small,
    );
    addPoint(site.state, { group: G2, kind: 'periodic', atMs: 1, cuts: [], leftOut: [] });
    expect(makeSpace(site.state, G1, costing(site, 30), NOON_MS, NOBODY)).toBe(2);
    expect(timesOf(site)).toEqual([3, 4, 5]);
    expect(pointsOf(site.state, { group: G2 })).toHaveLength(1);
    const { journal } = site.state.group(G1);
    expect(journal).toMatchObject({ bytes: 90, pointsDropped: 2, alert: { sinceMs: NOON_MS } });
    expect(journal.alert?.message).toContain('2 of its oldest recovery points were dropped');
    makeSpace(site.state, G1, costing(site, 30), NOON_MS + 1, NOBODY);
    expect(site.state.group(G1).journal.alert).toEqual(journal.alert);
    makeSpace(site.state, G1, costing(site, 20), NOON_MS + 2, NOBODY);
    expect(site.state.group(G1).journal.alert).toEqual(journal.alert);
    makeSpace(site.state, G1, costing(site, 30), NOON_MS + 2 * HOUR_MS, NOBODY);
    expect(site.state.group(G1).journal.alert).toEqual(journal.alert);
    makeSpace(site.state, G1, costing(site, 20), NOON_MS + 2 * HOUR_MS, NOBODY);
    expect(site.state.group(G1).journal).toEqual({ bytes: 60, pointsDropped: 2 });
  });

  test('keeps promised bookmarks and the newest point even when they alone are too much, and says what to do', () => {
    const site = siteWith(
      [{ atMs: 1, bookmark: 'for ever', keep: 'forever' }, { atMs: 2, bookmark: 'by policy' }, { atMs: 3 }],
      small,
    );
    expect(makeSpace(site.state, G1, costing(site, 90), NOON_MS, NOBODY)).toBe(1);
    expect(timesOf(site)).toEqual([1, 3]);
    expect(site.state.group(G1).journal.alert?.message).toContain('1 of its oldest recovery points were dropped');
    expect(makeSpace(site.state, G1, costing(site, 90), NOON_MS + 1, NOBODY)).toBe(0);
    expect(site.state.group(G1).journal.alert?.message).toContain("points that can't be dropped");
  });
});

describe('the alert of a full journal', () => {
  const MIB = 1024 * 1024;
  const full = { ...policy, journalBytesMax: 3 * MIB };
  const costing = (site: SiteUnderTest, bytes: number): Map<PointId, number> =>
    new Map(pointsOf(site.state, { group: G1 }).map((point) => [point.id, bytes]));
  const messageOf = (site: SiteUnderTest): string | undefined => site.state.group(G1).journal.alert?.message;

  test('says what was dropped, from when on history is left, and what to change', () => {
    const site = siteWith(
      [1_000, 2_000, 3_000].map((atMs) => ({ atMs })),
      full,
    );
    expect(makeSpace(site.state, G1, costing(site, 1.5 * MIB), NOON_MS, NOBODY)).toBe(1);
    expect(messageOf(site)).toBe(
      'The journal of group "g1" reached its limit of 3.0 MiB: 1 of its oldest recovery points were dropped, and its history now begins at 1970-01-01T00:00:02.000Z. Raise retention.journalBytesMax or shorten the policy.',
    );
  });

  test('says how much is needed where nothing can be dropped, why, and what to change', () => {
    const site = siteWith([{ atMs: 1, bookmark: 'audit', keep: 'forever' }, { atMs: 2 }], full);
    expect(makeSpace(site.state, G1, costing(site, 1.75 * MIB), NOON_MS, NOBODY)).toBe(0);
    expect(messageOf(site)).toBe(
      'The journal of group "g1" needs 3.5 MiB, over its limit of 3.0 MiB, for points that can\'t be dropped: promised bookmarks, the newest point, points that a reversible move holds, and points in use. Keep bookmarks for a shorter time, or raise retention.journalBytesMax.',
    );
  });

  test('is not there at the very limit, and drops no more points than bring the journal to it', () => {
    const site = siteWith(
      [1, 2, 3, 4].map((atMs) => ({ atMs })),
      full,
    );
    expect(makeSpace(site.state, G1, costing(site, 0.75 * MIB), NOON_MS, NOBODY)).toBe(0);
    expect(site.state.group(G1).journal).toEqual({ bytes: 3 * MIB, pointsDropped: 0 });
    expect(makeSpace(site.state, G1, costing(site, MIB), NOON_MS, NOBODY)).toBe(1);
    expect(timesOf(site)).toEqual([2, 3, 4]);
  });

  test('ends at four fifths of the limit, once it was there for an hour after the journal was last full', () => {
    const site = siteWith(
      [1, 2, 3].map((atMs) => ({ atMs })),
      full,
    );
    makeSpace(site.state, G1, costing(site, 1.5 * MIB), NOON_MS, NOBODY);
    const isThereAt = (bytes: number, afterMs: number): boolean => {
      makeSpace(site.state, G1, costing(site, bytes / 2), NOON_MS + afterMs, NOBODY);
      return messageOf(site) !== undefined;
    };
    expect(isThereAt(2.4 * MIB, HOUR_MS)).toBe(true);
    expect(isThereAt(2.5 * MIB, HOUR_MS + 1)).toBe(true);
    expect(isThereAt(2.4 * MIB, HOUR_MS + 1)).toBe(false);
  });

  test('keeps when it began, and tells when the journal was last full', () => {
    const site = siteWith(
      [1, 2, 3, 4].map((atMs) => ({ atMs })),
      full,
    );
    makeSpace(site.state, G1, costing(site, MIB), NOON_MS, NOBODY);
    makeSpace(site.state, G1, costing(site, 1.5 * MIB), NOON_MS + 5, NOBODY);
    expect(site.state.group(G1).journal).toMatchObject({
      pointsDropped: 2,
      alert: { sinceMs: NOON_MS, lastMs: NOON_MS + 5 },
    });
  });

  test('a round that finds nothing new stores nothing', () => {
    const site = siteWith([{ atMs: 1 }, { atMs: 2 }], full);
    makeSpace(site.state, G1, costing(site, MIB), NOON_MS, NOBODY);
    site.state.settle();
    makeSpace(site.state, G1, costing(site, MIB), NOON_MS + 1, NOBODY);
    accountFor(site.state, G1, costing(site, MIB));
    expect(site.state.changes()).toEqual([]);
    accountFor(site.state, G1, costing(site, 2 * MIB));
    expect(site.state.group(G1).journal).toEqual({ bytes: 4 * MIB, pointsDropped: 0 });
    expect(timesOf(site), 'accounting drops nothing').toEqual([1, 2]);
  });
});

describe('a bookmark', () => {
  test('is put on a point later, kept otherwise later, and one that a move made keeps its name', () => {
    const site = siteWith([{ atMs: 1 }]);
    const [point] = pointsOf(site.state, { group: G1 });
    if (point === undefined) throw new Error('no point');
    expect(codeOf(() => markPoint(site.state, { point: point.id, keep: 'forever' }, 5))).toBe('INVALID_REQUEST');
    markPoint(site.state, { point: point.id, name: 'before the upgrade', keep: 'forever' }, 5);
    expect(markPoint(site.state, { point: point.id, keep: { forMs: 10 } }, 5).bookmark).toEqual({
      name: 'before the upgrade',
      pending: false,
      keep: { untilMs: 15 },
    });
    site.attach();
    site.writes(1, 1);
    site.open(1);
    const left = site.commit(ref(1)).left?.point;
    if (left === undefined) throw new Error('no snapshot');
    expect(codeOf(() => markPoint(site.state, { point: left, name: 'mine', keep: 'forever' }, 5))).toBe(
      'INVALID_REQUEST',
    );
    expect(markPoint(site.state, { point: left, keep: 'forever' }, 5).bookmark).toMatchObject({ keep: 'forever' });
  });
});

test('a point looks at the attempts that its members came by, however many never joined', () => {
  const site = new SiteUnderTest();
  site.attach();
  for (let time = 1; time <= 20; time += 1) {
    const [from, to] = time % 2 === 1 ? [G1, G2] : [G2, G1];
    site.write(time);
    site.open(1, { move: `m${time}`, from, to });
    site.commit(ref(1, `m${time}`));
  }
  const unjoined = [...site.state.attempts.values()].filter(({ record }) => record.joined === undefined);
  expect(unjoined).toHaveLength(20);
  const point = addPoint(site.state, { group: G1, kind: 'periodic', atMs: 1, cuts: [cut(20)], leftOut: [] });
  expect(site.state.unjoinedAttempts(point.members).map(({ attempt }) => attempt)).toEqual([ref(1, 'm20')]);
});

test('who owned a volume when is told without gaps, over moves there and back', () => {
  const site = new SiteUnderTest();
  site.attach();
  site.writes(1, 4);
  site.open(1);
  site.commit(ref(1), 100);
  site.write(5);
  site.open(1, { move: 'm2', from: G2, to: G1, nowMs: 200 });
  site.commit(ref(1, 'm2'), 200);
  expect(site.state.ownersOf(V1)).toEqual([
    { volume: V1, group: G1, epoch: 1, fromPosition: 0, fromMs: 0, toPosition: 4, toMs: 100 },
    { volume: V1, group: G2, epoch: 2, fromPosition: 4, fromMs: 100, toPosition: 5, toMs: 200, move: 'm1' },
    { volume: V1, group: G1, epoch: 3, fromPosition: 5, fromMs: 200, move: 'm2' },
  ]);
});
