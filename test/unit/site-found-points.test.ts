// Which recovery point a person gets by its id or by a time, how a volume is opened for it, and
// what is said when there is none.
import { beforeEach, describe, expect, test } from 'vitest';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import {
  addPoint,
  cutsReached,
  findPoint,
  markPoint,
  newestPosition,
  type NewPoint,
  positionIn,
} from '../../simulator/replica-site/core/points.js';
import { beginHole } from '../../simulator/replica-site/core/records.js';
import { momentAt } from '../support/moment.js';
import { codeOf, cut, G1, G2, ref, SiteUnderTest, V1, V2 } from './site-core-fixture.js';

const NOON_MS = Date.UTC(2026, 0, 5, 12);
const MINUTE_MS = 60_000;
let site: SiteUnderTest;

beforeEach(() => {
  site = new SiteUnderTest();
  for (const volume of [V1, V2]) {
    site.attach(volume);
    site.writes(1, 5, volume);
  }
});

const close = (changes: Partial<NewPoint> = {}, now?: Parameters<typeof addPoint>[2]): RecoveryPoint =>
  addPoint(site.state, { group: G1, kind: 'periodic', atMs: NOON_MS, cuts: [cut(5)], leftOut: [], ...changes }, now);
const find = (query: Parameters<typeof findPoint>[1]): string => findPoint(site.state, query).id;

describe('a point is found by its id', () => {
  test('when it is of the group and has the volume that are asked for, or when nothing else is asked', () => {
    const { id } = close();
    for (const of of [{}, { group: G1 }, { volume: V1 }, { group: G1, volume: V1 }])
      expect(find({ point: id, ...of })).toBe(id);
  });

  test.each([
    [{ group: G2 }, 'Point p000000001 is not one of group "g2".'],
    [{ volume: V2 }, 'Point p000000001 is not one of volume "v2".'],
    [{ group: G1, volume: V2 }, 'Point p000000001 is not one of group "g1" and volume "v2".'],
    [{ group: G2, volume: V1 }, 'Point p000000001 is not one of group "g2" and volume "v1".'],
  ])('and refused for %j', (of, message) => {
    const { id } = close();
    expect(() => find({ point: id, ...of })).toThrow(message);
  });
});

describe('a point is found by a time', () => {
  test('it is the newest one not later, of the group or volume that is asked for', () => {
    const [first, second] = [close(), close({ atMs: NOON_MS + MINUTE_MS, cuts: [cut(5, V2)] })];
    expect(find({ group: G1 })).toBe(second?.id);
    expect(find({})).toBe(second?.id);
    expect(find({ volume: V1 })).toBe(first?.id);
    expect(find({ group: G1, atMs: NOON_MS + MINUTE_MS - 1 })).toBe(first?.id);
  });

  test.each([
    [{}, 'There is no recovery point of any group yet.'],
    [{ group: G2 }, 'There is no recovery point of group "g2" yet.'],
    [{ volume: V1 }, 'There is no recovery point of volume "v1" yet.'],
    [{ group: G1, volume: V1 }, 'There is no recovery point of group "g1" and volume "v1" yet.'],
    [{ group: G1, atMs: NOON_MS }, 'There is no recovery point of group "g1" at or before 2026-01-05T12:00:00.000Z.'],
  ])('and if there is none, %j is told so', (query, message) => {
    expect(() => find(query)).toThrow(message);
  });
});

describe('a volume is opened for a point', () => {
  const open = ({ id }: RecoveryPoint, volume = V1): number => positionIn(site.state, site.state.point(id), volume);

  test('where the point has it, if its last write has arrived', () => {
    expect(open(close({ cuts: [cut(3)] }))).toBe(3);
    expect(open(close())).toBe(5);
  });

  test('but not if the point does not have it: why is told, if the point knows', () => {
    const point = close({ leftOut: [{ volume: V2, reason: 'unreachable' }] });
    expect(() => open(point, V2)).toThrow('Point p000000001 does not contain volume "v2" (unreachable).');
    expect(() => open(point, volumeIdSchema.parse('v9'))).toThrow('Point p000000001 does not contain volume "v9".');
  });

  test('but not while its writes wait behind a fence', () => {
    site.open(1);
    const point = close({ cuts: [{ ...cut(8), fencedBy: ref(1) }] });
    expect(() => open(point)).toThrow(
      'The writes of volume "v1" up to point p000000001 have not all arrived at the replica site.',
    );
  });

  test('and without a point at its newest state, except in a short initialization', () => {
    expect(newestPosition(site.state, V1)).toBe(5);
    beginHole(site.state, V1, { fromPosition: 4, sinceMs: 1, reason: 'test' });
    expect(() => newestPosition(site.state, V1)).toThrow(
      'Volume "v1" is in short initialization: open a recovery point from before it.',
    );
    expect(codeOf(() => newestPosition(site.state, volumeIdSchema.parse('v9')))).toBe('VOLUME_NOT_FOUND');
  });
});

test('a point waits for each cut that is neither durable here nor behind a fence, and for no volume that is unknown', () => {
  const of = (...cuts: NewPoint['cuts']): boolean => cutsReached(site.state, cuts);
  expect(of()).toBe(true);
  expect(of(cut(5), cut(5, V2))).toBe(true);
  expect(of(cut(6))).toBe(false);
  expect(of(cut(5), cut(6, V2))).toBe(false);
  expect(of({ ...cut(6), fencedBy: ref(1) })).toBe(true);
  expect(of({ ...cut(6), fencedBy: ref(1) }, cut(6, V2))).toBe(false);
  expect(of(cut(6, volumeIdSchema.parse('v9')))).toBe(true);
});

describe('the time on a point', () => {
  test.each([
    ['as it was cut, one minute from the clock of the site', MINUTE_MS, false],
    ['in doubt, further from it', MINUTE_MS + 1, true],
    ['in doubt, as far behind it', -MINUTE_MS - 1, true],
    ['as it was cut, one minute behind it', -MINUTE_MS, false],
  ])('is %s', (_how, awayMs, isDoubted) => {
    const { atMs, clock } = close({ atMs: NOON_MS + awayMs }, momentAt(NOON_MS));
    expect(atMs).toBe(NOON_MS + awayMs);
    expect(clock?.doubt).toEqual(
      isDoubted ? { process: 'the splitters of group g1', jumpMs: awayMs, sinceMs: NOON_MS, jumps: 1 } : undefined,
    );
  });

  test.each([
    ['goes on by a millisecond where the clocks of two hosts differ by 5 s', 5_000, 1, undefined],
    ['goes back where a clock was set back by more', 5_001, -5_001, -5_001],
  ])('%s', (_how, backMs, movedMs, jumpMs) => {
    close({}, momentAt(NOON_MS));
    const { atMs, clock } = close({ atMs: NOON_MS - backMs }, momentAt(NOON_MS));
    expect(atMs).toBe(NOON_MS + movedMs);
    expect(clock?.doubt?.jumpMs).toBe(jumpMs);
  });

  test('is in doubt by what its splitter says of its clock, before all else', () => {
    const doubt = { process: 'splitter s1', jumpMs: 7, sinceMs: 1, jumps: 2 };
    expect(close({ doubt, atMs: NOON_MS + 5 * MINUTE_MS }, momentAt(NOON_MS)).clock?.doubt).toEqual(doubt);
    const own = { process: 'replica site', jumpMs: 9, sinceMs: 1, jumps: 1 };
    expect(close({ atMs: NOON_MS + 6 * MINUTE_MS }, { ...momentAt(NOON_MS), doubt: own }).clock?.doubt).toEqual(own);
  });
});

describe('a bookmark', () => {
  test('needs a name once, and keeps it', () => {
    const { id } = close();
    expect(() => markPoint(site.state, { point: id, keep: 'forever' }, 0)).toThrow(
      'Point p000000001 has no bookmark yet: give it a name.',
    );
    expect(markPoint(site.state, { point: id, name: 'audit', keep: 'forever' }, 0).bookmark).toEqual({
      name: 'audit',
      pending: false,
      keep: 'forever',
    });
    expect(markPoint(site.state, { point: id, keep: { forMs: 5 } }, 100).bookmark).toMatchObject({
      name: 'audit',
      keep: { untilMs: 105 },
    });
    expect(markPoint(site.state, { point: id, name: 'month', keep: 'policy' }, 0).bookmark?.name).toBe('month');
  });

  test('is kept by the policy if nothing is said, and from the clock of ages on if a time is', () => {
    const named = (keep?: NewPoint['keep']) =>
      close({ bookmark: 'b', keep }, { ...momentAt(NOON_MS), ageMs: 100 }).bookmark?.keep;
    expect(named()).toBe('policy');
    expect(named('forever')).toBe('forever');
    expect(named({ forMs: 7 })).toEqual({ untilMs: 107 });
  });
});

test('a point is closed only in a group that exists', () => {
  expect(codeOf(() => close({ group: groupIdSchema.parse('g9') }))).toBe('GROUP_NOT_FOUND');
});
