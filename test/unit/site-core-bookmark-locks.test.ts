// Locked bookmarks: what nobody can do until the lock has ended.
import { beforeEach, describe, expect, test } from 'vitest';
import type { PointId } from '../../contracts/ids.js';
import { type KeepRequest, LOCK_MS_MAX, retentionPolicySchema } from '../../contracts/retention.js';
import { applianceApi } from '../../contracts/appliance-api.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { lockPoint } from '../../simulator/replica-site/core/bookmark-locks.js';
import { makeSpace } from '../../simulator/replica-site/core/journal-space.js';
import * as lifecycle from '../../simulator/replica-site/core/lifecycle.js';
import { applyPolicy } from '../../simulator/replica-site/core/policy.js';
import { addPoint, markPoint } from '../../simulator/replica-site/core/points.js';
import { momentAt } from '../support/moment.js';
import { codeOf, cut, G1, ref, SiteUnderTest, V1 } from './site-core-fixture.js';

const HOUR_MS = 3_600_000;
const END_MS = 10 * HOUR_MS;
const NOBODY: ReadonlySet<PointId> = new Set();
const KIM = { operator: 'kim', reason: 'an audit' };

let site: SiteUnderTest;
let point: PointId;

const close = (atMs: number, bookmark?: string, keep?: KeepRequest): PointId =>
  addPoint(site.state, { group: G1, kind: 'demand', atMs, cuts: [cut(1)], leftOut: [], bookmark, keep }, momentAt(atMs))
    .id;
const lock = (forMs: number, nowMs = 0) => lockPoint(site.state, { point, forMs, ...KIM }, nowMs).bookmark;
const mark = (keep: KeepRequest, nowMs = 0, name?: string) =>
  codeOf(() => markPoint(site.state, { point, keep, name }, nowMs));
const isThere = (): boolean => site.state.points.get(point) !== undefined;

beforeEach(() => {
  site = new SiteUnderTest();
  site.attach();
  site.write(1);
  const short = retentionPolicySchema.parse({ keepAllMs: 1, hourlyMs: 1, dailyMs: 1, weeklyMs: 1 });
  site.state.groups.put(G1, { ...site.state.group(G1), retention: short });
  point = close(0, 'before the audit');
  close(1);
});

test('a lock keeps its point against the policy and a full journal, and no longer', () => {
  expect(lock(END_MS)).toMatchObject({ keep: { untilMs: END_MS }, lock: { untilMs: END_MS, ...KIM } });
  const costs = new Map([[point, 10 ** 15]]);
  applyPolicy(site.state, G1, END_MS - 1, NOBODY);
  makeSpace(site.state, G1, costs, END_MS - 1, NOBODY);
  expect(isThere()).toBe(true);
  applyPolicy(site.state, G1, END_MS, NOBODY);
  expect(isThere()).toBe(false);
});

test('a lock is lengthened, and by nobody shortened', () => {
  lock(END_MS);
  expect(codeOf(() => lock(END_MS - 2, 1))).toBe('BOOKMARK_LOCKED');
  expect(lock(END_MS - 1, 1)?.lock?.untilMs).toBe(END_MS);
  expect(lock(END_MS, 1)?.lock?.untilMs).toBe(END_MS + 1);
  expect(() => lock(1, 1)).toThrow(
    /^The bookmark "before the audit" \(point p\d+\) is locked until .* \(kim: an audit\), and a lock is only lengthened\.$/,
  );
  expect(codeOf(() => lock(1, END_MS + 1))).toBe('not refused');
});

describe('while it is locked, a bookmark', () => {
  beforeEach(() => void lock(END_MS));

  test('is kept at least as long', () => {
    expect(mark('policy')).toBe('BOOKMARK_LOCKED');
    expect(mark({ forMs: END_MS - 1 })).toBe('BOOKMARK_LOCKED');
    expect(mark({ forMs: END_MS })).toBe('not refused');
    expect(mark('forever')).toBe('not refused');
    expect(mark({ forMs: END_MS + 1 })).toBe('not refused');
    expect(mark('policy', END_MS)).toBe('not refused');
  });

  test('keeps its name, and its lock when how long it is kept changes', () => {
    expect(mark('forever', 0, 'another name')).toBe('BOOKMARK_LOCKED');
    expect(mark('forever', 0, 'before the audit')).toBe('not refused');
    expect(site.state.point(point).point.bookmark?.lock?.untilMs).toBe(END_MS);
    expect(mark('policy')).toBe('BOOKMARK_LOCKED');
    expect(mark('policy', END_MS, 'another name')).toBe('not refused');
  });

  test('keeps the history of its volume from being forgotten', () => {
    lifecycle.retireVolume(site.state, { volume: V1, dryRun: false }, momentAt(2));
    const forget = (nowMs: number) =>
      codeOf(() => lifecycle.beginForgetting(site.state, { volume: V1, dryRun: true, images: 0 }, momentAt(nowMs)));
    expect(forget(END_MS - 1)).toBe('CHANGE_REFUSED');
    expect(forget(END_MS)).toBe('not refused');
  });
});

test('a lock does not shorten what was promised for longer', () => {
  markPoint(site.state, { point, keep: 'forever' }, 0);
  expect(lock(END_MS)?.keep).toBe('forever');
});

test('what has no bookmark is not locked', () => {
  expect(codeOf(() => lockPoint(site.state, { point: close(2), forMs: 1, ...KIM }, 2))).toBe('INVALID_REQUEST');
});

test('a lock has an end: a year and a day at most', () => {
  const order = { point, ...KIM };
  expect(applianceApi.lockPoint.input.safeParse({ ...order, forMs: LOCK_MS_MAX }).success).toBe(true);
  expect(applianceApi.lockPoint.input.safeParse({ ...order, forMs: LOCK_MS_MAX + 1 }).success).toBe(false);
});

test('the bookmark of a move is locked once the move is committed: an abort voids it', () => {
  site.open(1);
  attempts.sealAttempt(site.state, ref(1), [cut(1)], [], 3);
  const { left } = attempts.bookmarkAttempt(site.state, ref(1));
  const order = { point: left?.point ?? point, forMs: END_MS, ...KIM };
  expect(codeOf(() => lockPoint(site.state, order, 3))).toBe('INVALID_REQUEST');
  attempts.adoptAttempt(site.state, ref(1), momentAt(4));
  expect(lockPoint(site.state, order, 4).bookmark?.lock?.untilMs).toBe(END_MS + 4);
});
