// Which volumes a listing of the replica site shows, in which order, and that estates of any size
// are paged quickly.
import { runInNewContext } from 'node:vm';
import { describe, expect, test, vi } from 'vitest';
import { type EstateInput, estateSchema } from '../../contracts/estate.js';
import { applianceIdSchema, groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { labelsOfQuery, labelsQuery } from '../../contracts/inventory.js';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import { pageOfGroups } from '../../simulator/replica-site/core/listings.js';
import { matchesPattern } from '../../simulator/replica-site/core/name-pattern.js';
import { EMPTY_SITE, SiteState } from '../../simulator/replica-site/core/state.js';
import { inventoryVolume, pageOfVolumes, type VolumeFilter } from '../../simulator/replica-site/core/volume-listing.js';
import { momentAt } from '../support/moment.js';
import { MemoryLineages } from './site-core-fixture.js';

type Volume = EstateInput['splitters'][number]['volumes'][number];

const G1 = groupIdSchema.parse('g1');
const port = { port: 1 };
/** Far above what a match takes, in milliseconds. */
const PATIENCE_MS = 20_000;

function estateOf(volumes: readonly Volume[], groups = ['g1', 'g2']) {
  return estateSchema.parse({
    replicaSite: { control: port },
    appliances: [{ id: 'a1', control: port, nbd: port }],
    splitters: [{ id: 's1', control: port, nbd: port, volumes }],
    groups: groups.map((id) => ({ id, appliance: 'a1' })),
    worker: { health: port },
  });
}

function siteOf(volumes: readonly Volume[], groups?: string[]): SiteState {
  const state = new SiteState(EMPTY_SITE, new MemoryLineages());
  followEstate(state, estateOf(volumes, groups), 0);
  return state;
}

/** Every volume of a listing, page by page. */
function all(state: SiteState, filter: VolumeFilter, limit: number): string[] {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = pageOfVolumes(state, { ...filter, cursor, limit });
    expect(page.items.length).toBeLessThanOrEqual(limit);
    found.push(...page.items.map(({ volume }) => volume));
    cursor = page.next;
  } while (cursor !== undefined);
  return found;
}

const site = siteOf([
  { id: 'web-2', sizeMiB: 1, group: 'g2', vm: 'web two', labels: { tier: 'gold', app: 'shop' } },
  { id: 'web-10', sizeMiB: 1, group: 'g1', vm: 'web ten', labels: { tier: 'gold' } },
  { id: 'web', sizeMiB: 1, group: 'g1', labels: { tier: 'silver' } },
  { id: 'db-1', sizeMiB: 1, group: 'g1', vm: 'db' },
  { id: 'db-0', sizeMiB: 1, group: 'g1', vm: 'db', labels: { tier: 'gold', app: 'shop' } },
]);

describe('a listing of volumes', () => {
  test.each([1, 2, 3, 100])('has each volume once and in the order of ids, in pages of %i', (limit) => {
    expect(all(site, {}, limit)).toEqual(['db-0', 'db-1', 'web', 'web-10', 'web-2']);
  });

  test.each<[VolumeFilter, string[]]>([
    [{ group: G1 }, ['db-0', 'db-1', 'web', 'web-10']],
    [{ vm: 'db' }, ['db-0', 'db-1']],
    [{ vm: 'nobody' }, []],
    [{ namePattern: 'web*' }, ['web', 'web-10', 'web-2']],
    [{ namePattern: 'web-?' }, ['web-2']],
    [{ namePattern: '*-1*' }, ['db-1', 'web-10']],
    [{ namePattern: 'db-1' }, ['db-1']],
    [{ labels: 'tier=gold' }, ['db-0', 'web-10', 'web-2']],
    [{ labels: 'tier=gold,app=shop' }, ['db-0', 'web-2']],
    [{ labels: 'tier=gold', group: G1, namePattern: 'w*' }, ['web-10']],
    [{ volume: volumeIdSchema.parse('db-1'), group: G1 }, ['db-1']],
    [{ volume: volumeIdSchema.parse('db-1'), vm: 'web ten' }, []],
  ])('by %j shows just those', (filter, expected) => {
    for (const limit of [1, 2, 100]) expect(all(site, filter, limit)).toEqual(expected);
  });

  test('refuses labels that can not be read, and says how they are written', () => {
    expect(() => pageOfVolumes(site, { labels: 'tier', limit: 1 })).toThrow('"tier" is not a label: give name=value');
    expect(() => labelsQuery({ tier: 'gold,silver' })).toThrow('no comma');
  });

  test('labels survive the way through a query string, "=" in a value included', () => {
    const labels = { tier: 'gold', 'team/cost': 'a=b c' };
    expect(labelsOfQuery(labelsQuery(labels))).toEqual(labels);
  });

  test('keeps its order when volumes come later', () => {
    const state = siteOf([{ id: 'm', sizeMiB: 1, group: 'g1' }]);
    expect(all(state, {}, 10)).toEqual(['m']);
    const more = ['z', 'a', 'm'].map((id) => ({ id, sizeMiB: 1, group: 'g1' }));
    followEstate(state, estateOf(more), 0);
    expect(all(state, {}, 2)).toEqual(['a', 'm', 'z']);
  });

  test('a page of 1,000 of 20,000 volumes does not cost a sort of all of them', () => {
    const groups = Array.from({ length: 100 }, (_, i) => `g${i}`);
    const volumes = Array.from({ length: 20_000 }, (_, i) => ({
      id: `vm-${(i * 7_919) % 20_000}`,
      sizeMiB: 1,
      group: `g${i % 100}`,
    }));
    const state = siteOf(volumes, groups);
    expect(all(state, {}, 1_000)).toHaveLength(20_000);
    expect(pageOfGroups(state, { limit: 1 }, momentAt(0)).items).toHaveLength(1);
    let sorted: number;
    const sort = vi.spyOn(Array.prototype, 'toSorted');
    try {
      const page = pageOfVolumes(state, { cursor: 'vm-5', limit: 1_000 });
      expect(page.items).toHaveLength(1_000);
      expect(page.items[0]?.volume).toBe('vm-50');
      const few = pageOfVolumes(state, { namePattern: 'vm-177*', limit: 1_000 });
      expect(few.items).toHaveLength(111);
      expect(pageOfGroups(state, { cursor: 'g5', limit: 10 }, momentAt(0)).items.map(({ group }) => group)[0]).toBe(
        'g50',
      );
    } finally {
      sorted = sort.mock.calls.length;
      sort.mockRestore();
    }
    expect(sorted).toBe(0);
  });
});

describe('a listing of groups', () => {
  const idsOf = (filter: Partial<Parameters<typeof pageOfGroups>[1]>): string[] =>
    pageOfGroups(site, { limit: 10, ...filter }, momentAt(0)).items.map(({ group }) => group);

  test('is of all of them, of one, or of those that an appliance serves', () => {
    expect(idsOf({})).toEqual(['g1', 'g2']);
    expect(idsOf({ group: G1 })).toEqual(['g1']);
    expect(idsOf({ appliance: applianceIdSchema.parse('a1') })).toEqual(['g1', 'g2']);
    expect(idsOf({ group: G1, appliance: applianceIdSchema.parse('a2') })).toEqual([]);
  });

  test('of one group has it on one page', () => {
    expect(pageOfGroups(site, { group: G1, limit: 1 }, momentAt(0)).next).toBeUndefined();
    expect(idsOf({ group: G1, cursor: 'g1' })).toEqual([]);
  });

  test('of a group that does not exist is refused', () => {
    expect(() => idsOf({ group: groupIdSchema.parse('g3') })).toThrow(
      expect.objectContaining({ code: 'GROUP_NOT_FOUND' }),
    );
  });

  test('of one group of 20,000 looks at no other', () => {
    const many = siteOf(
      [],
      Array.from({ length: 20_000 }, (_, i) => `g${i}`),
    );
    const others = vi.spyOn(many, 'groupsAfter');
    expect(pageOfGroups(many, { group: G1, limit: 10 }, momentAt(0)).items.map(({ group }) => group)).toEqual(['g1']);
    expect(others).not.toHaveBeenCalled();
  });
});

describe('a pattern of names', () => {
  test.each([
    ['*', '', true],
    ['a*b*c', 'axxbxxc', true],
    ['a*b*c', 'axxbxx', false],
    ['?', '', false],
    ['a?c', 'abc', true],
    ['a.c', 'abc', false],
    ['', '', true],
  ])('%s of %s: %s', (pattern, name, expected) => {
    expect(matchesPattern(pattern, name)).toBe(expected);
  });

  test('is decided in one pass, however many stars it has: place by place, this one would take years', () => {
    const matches = (): boolean => matchesPattern(`${'*a'.repeat(20)}b`, 'a'.repeat(64));
    // Only a context of its own ends a function that never returns.
    expect(runInNewContext('matches()', { matches }, { timeout: PATIENCE_MS })).toBe(false);
  });
});

describe('what the estate file says of VMs and labels', () => {
  test('is shown, and followed when it changes', () => {
    const state = siteOf([{ id: 'v', sizeMiB: 1, group: 'g1', vm: 'one', labels: { tier: 'gold' } }]);
    const v = volumeIdSchema.parse('v');
    expect(inventoryVolume(state, state.volume(v))).toEqual({
      volume: 'v',
      splitter: 's1',
      sizeBytes: 1_048_576,
      group: 'g1',
      appliance: 'a1',
      vm: 'one',
      labels: { tier: 'gold' },
    });
    followEstate(state, estateOf([{ id: 'v', sizeMiB: 1, group: 'g2', labels: { tier: 'silver' } }]), 0);
    expect(inventoryVolume(state, state.volume(v))).toMatchObject({ group: 'g1', labels: { tier: 'silver' } });
    expect(all(state, { vm: 'one' }, 10)).toEqual([]);
    expect(all(state, { labels: 'tier=silver' }, 10)).toEqual(['v']);
  });

  test('stores nothing when it stays the same', () => {
    const volumes = [{ id: 'v', sizeMiB: 1, group: 'g1', vm: 'one', labels: { tier: 'gold' } }];
    const state = siteOf(volumes);
    state.settle();
    followEstate(state, estateOf(volumes), 0);
    expect(state.changes()).toEqual([]);
  });

  test.each<[Partial<Volume>, string]>([
    [{ vm: '' }, 'at least one character'],
    [{ vm: 'x'.repeat(201) }, 'at most 200 characters'],
    [{ labels: { 'a b': 'x' } }, "a label's name is"],
    [{ labels: { a: 'x,y' } }, 'no comma'],
    [{ labels: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`l${i}`, 'x'])) }, 'at most 16 labels'],
  ])('is refused in words: %j', (fields, words) => {
    expect(() => estateOf([{ id: 'v', sizeMiB: 1, group: 'g1', ...fields }])).toThrow(words);
  });
});
