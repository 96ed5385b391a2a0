// What the control API shows of groups, volumes and points: each field. A listing read page by page
// has each item once, in the order of the whole.
import { beforeEach, describe, expect, test } from 'vitest';
import type { RecoveryPoint } from '../../contracts/point.js';
import * as lifecycle from '../../simulator/replica-site/core/lifecycle.js';
import {
  pageOfGroups,
  pageOfOpenAttempts,
  pageOfPoints,
  siteVolume,
} from '../../simulator/replica-site/core/listings.js';
import { addPoint, pointsOf } from '../../simulator/replica-site/core/points.js';
import { beginHole, endHole } from '../../simulator/replica-site/core/records.js';
import { momentAt } from '../support/moment.js';
import { cut, G1, G2, LEASE_MS, ref, SiteUnderTest, V1, V2 } from './site-core-fixture.js';

let site: SiteUnderTest;
beforeEach(() => {
  site = new SiteUnderTest();
  for (const volume of [V1, V2]) {
    site.attach(volume);
    site.writes(1, 9, volume);
  }
});

function close(n: number, atMs: number, volumes = [V1, V2], group = G1): RecoveryPoint {
  const cuts = volumes.map((volume) => cut(n, volume));
  return addPoint(site.state, { group, kind: 'periodic', atMs, cuts, leftOut: [] });
}

/** The points of a listing, page by page: each page but the last is full, and none is empty. */
function paged(of: Parameters<typeof pointsOf>[1], limit: number): string[] {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = pageOfPoints(site.state, { ...of, limit, cursor });
    expect(page.items.length).toBeLessThanOrEqual(limit);
    expect(page.next === undefined || page.items.length === limit).toBe(true);
    expect(cursor === undefined || page.items.length > 0).toBe(true);
    found.push(...page.items.map(({ id }) => id));
    expect(found.length, 'no item comes again').toBe(new Set(found).size);
    cursor = page.next;
  } while (cursor !== undefined);
  return found;
}

const idsOf = (of: Parameters<typeof pointsOf>[1]): string[] => pointsOf(site.state, of).map(({ id }) => id);

describe('points, page by page', () => {
  test.each([1, 2, 3, 4, 5])('are each there once, in the order of the timeline, %i at a time', (limit) => {
    // Times of different lengths, and a clock that was set back.
    // Places from 9 to 12 differ in length too.
    for (let n = 0; n < 8; n += 1) site.state.points.delete(close(1, 1).id);
    const ids = [5, 70_000, 800_000, 6_000].map((atMs, i) => close(i + 1, atMs).id);
    expect(paged({ group: G1 }, limit)).toEqual(ids);
    expect(paged({ volume: V1 }, limit)).toEqual(ids);
  });

  test('of earlier versions, without a place, come first, by their times', () => {
    const points = [90, 1_000, 8].map((atMs, i) => close(i + 1, 10_000 + atMs));
    const [late, , early] = points.map((point, i) => {
      const { order: _none, ...old } = { ...point, atMs: [90, 1_000, 8][i] ?? 0 };
      const row = { ...site.state.point(point.id), point: i === 1 ? point : old };
      site.state.points.put(point.id, row);
      return point.id;
    });
    for (const of of [{ group: G1 }, { volume: V1 }]) {
      expect(idsOf(of)).toEqual([early, late, points[1]?.id]);
      for (const limit of [1, 2, 3]) expect(paged(of, limit)).toEqual(idsOf(of));
    }
  });

  test('of a volume are in the order of its history, though the snapshot of the group that it left stands elsewhere', () => {
    close(2, 10);
    site.open(1);
    site.commit(ref(1));
    close(9, 5, [V1], G2);
    close(4, 20, [V2]);
    for (const limit of [1, 2, 3]) expect(paged({ volume: V1 }, limit)).toEqual(idsOf({ volume: V1 }));
    expect(idsOf({ volume: V1 })).toHaveLength(3);
  });

  test('snapshots that follow one point are in the order of their cuts, whichever was sealed first', () => {
    const [first, later, earlier, last] = [5, 30, 20, 40].map((atMs, i) => close(i + 1, atMs, [V1]));
    if (first === undefined || later === undefined || earlier === undefined || last === undefined)
      throw new Error('four points were closed');
    const cutTimes = [
      [later.id, 30],
      [earlier.id, 20],
    ] as const;
    for (const [id, atMs] of cutTimes) {
      const row = site.state.point(id);
      const { order: _own, ...point } = row.point;
      const place = first.order === undefined ? {} : { order: first.order };
      site.state.points.put(id, { ...row, point: { ...point, ...place, kind: 'left', atMs } });
    }
    const order = [first.id, earlier.id, later.id, last.id];
    expect(idsOf({ group: G1 })).toEqual(order);
    for (const limit of [1, 2, 3, 4]) expect(paged({ group: G1 }, limit)).toEqual(order);
  });

  test('a cursor behind the last point is answered with an empty page, and none to follow', () => {
    close(1, 5);
    const page = pageOfPoints(site.state, { group: G1, limit: 5, cursor: '9' });
    expect([page.items, page.next]).toEqual([[], undefined]);
  });

  test('come with the owners and holes of the volume; of a group, with what it owned; of all, with neither', () => {
    beginHole(site.state, V1, { fromPosition: 9, sinceMs: 1, reason: 'test' });
    site.state.owners.put('v2:2', { owner: { volume: V2, group: G2, epoch: 2, fromPosition: 9, fromMs: 3 } });
    const shown = (of: Parameters<typeof pointsOf>[1]) => {
      const { holes, owners } = pageOfPoints(site.state, { ...of, limit: 5 });
      return [holes.map(({ volume }) => volume), owners.map(({ volume, group }) => `${volume} ${group}`)];
    };
    expect(shown({ volume: V1 })).toEqual([[V1], ['v1 g1']]);
    expect(shown({ volume: V2 })).toEqual([[], ['v2 g1', 'v2 g2']]);
    expect(shown({ group: G2 })).toEqual([[], ['v2 g2']]);
    expect(shown({ group: G1, volume: V1 })).toEqual([[V1], ['v1 g1']]);
    expect(shown({})).toEqual([[], []]);
  });
});

describe('a volume', () => {
  const shown = (volume = V1, nowMs = 0) => siteVolume(site.state, site.state.volume(volume), momentAt(nowMs));

  test('is shown with its place, its owner and how far its replica is', () => {
    site.lineages.applied.set(V1, 7);
    expect(shown()).toEqual({
      volume: V1,
      splitter: 's1',
      sizeBytes: 1024 * 1024,
      group: G1,
      appliance: 'a1',
      epoch: 1,
      durable: { position: 9, session: 1, n: 9, timeMs: 9 },
      appliedPosition: 7,
      undistributedBytes: 2 * 512,
      initializing: false,
    });
  });

  test('is shown with its VM and labels, and when it was retired, if there is such a thing', () => {
    lifecycle.setVolume(site.state, { volume: V1, vm: 'web', labels: { tier: 'gold' }, dryRun: false });
    expect(shown()).toMatchObject({ vm: 'web', labels: { tier: 'gold' } });
    expect(shown()).not.toHaveProperty('retired');
    lifecycle.retireVolume(site.state, { volume: V1, dryRun: false }, momentAt(77));
    expect(shown()).toMatchObject({ vm: 'web', retired: { atMs: 77 } });
  });

  test('is initializing from the beginning of a short initialization to its end', () => {
    beginHole(site.state, V1, { fromPosition: 8, sinceMs: 1, reason: 'test' });
    expect([shown().initializing, shown(V2).initializing]).toEqual([true, false]);
    endHole(site.state, V1, 9, 2);
    expect(shown().initializing).toBe(false);
  });

  test('is shown as moving for as long as the lease of its attempt runs', () => {
    site.open(1);
    expect(shown(V1, LEASE_MS - 1)).toMatchObject({ openAttempt: ref(1), openAttemptLeaseMs: 1 });
    expect(shown(V1, LEASE_MS)).not.toHaveProperty('openAttempt');
  });
});

describe('a group', () => {
  const shown = (nowMs = 0) => pageOfGroups(site.state, { group: G2, limit: 1 }, momentAt(nowMs)).items;

  test('is shown with its settings, its volumes and those on their way to it', () => {
    site.open(1);
    const { appliance, volumesMax, pointEveryMs, retention, journal } = site.state.group(G2);
    expect(shown()).toEqual([
      { group: G2, appliance, volumesMax, pointEveryMs, retention, journal, volumes: 0, reserved: 1 },
    ]);
    expect(shown(LEASE_MS)).toMatchObject([{ reserved: 0 }]);
  });

  test('that was retired is shown with the time', () => {
    lifecycle.retireGroup(site.state, { group: G2, dryRun: false }, momentAt(55));
    expect(shown()).toMatchObject([{ retired: { atMs: 55 } }]);
  });

  test('is on the page after a cursor only if it comes after the cursor, asked for by its name or not', () => {
    const ids = (query: object): string[] =>
      pageOfGroups(site.state, { limit: 5, ...query }, momentAt(0)).items.map(({ group }) => group);
    expect(ids({ group: G2, cursor: G1 })).toEqual([G2]);
    expect(ids({ group: G2, cursor: G2 })).toEqual([]);
    expect(ids({ cursor: G1 })).toEqual([G2]);
    expect(ids({ cursor: G2 })).toEqual([]);
    expect(pageOfGroups(site.state, { limit: 1 }, momentAt(0))).toMatchObject({ items: [{ group: G1 }], next: G1 });
  });
});

describe('open attempts', () => {
  const shown = (nowMs: number, query: object = {}) => pageOfOpenAttempts(site.state, { limit: 5, ...query }, nowMs);

  test('are shown until they have a verdict, with what is left of their leases', () => {
    site.open(1);
    expect(shown(0)).toMatchObject({ items: [{ record: { attempt: ref(1), state: 'OPEN' }, leaseMs: LEASE_MS }] });
    expect(shown(0.5).items).toMatchObject([{ leaseMs: LEASE_MS }]);
    expect(shown(LEASE_MS - 1).items).toMatchObject([{ leaseMs: 1 }]);
    // Any move that needs the volume may abort it, and nobody has.
    expect(shown(5 * LEASE_MS).items).toMatchObject([{ record: { attempt: ref(1) }, leaseMs: 0 }]);
    site.commit(ref(1));
    expect(shown(0)).toEqual({ items: [], unreadable: [] });
  });

  test('are on one page each, by name', () => {
    site.open(1, { move: 'm2', volumes: [V2] });
    site.open(1, { move: 'm1', volumes: [V1] });
    const first = shown(0, { limit: 1 });
    expect(first).toMatchObject({ items: [{ record: { attempt: ref(1, 'm1') } }], next: 'm1#1' });
    const second = shown(0, { limit: 1, cursor: first.next });
    expect(second).toMatchObject({ items: [{ record: { attempt: ref(1, 'm2') } }] });
    expect(second.next).toBeUndefined();
  });
});
