// What an estate file leaves out or changes must not end protection: the site goes on with what it
// has, and tells the difference.
import { expect, test } from 'vitest';
import { type Estate, estateSchema } from '../../contracts/estate.js';
import { splitterIdSchema } from '../../contracts/ids.js';
import { estateDrift } from '../../simulator/replica-site/core/estate-drift.js';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import { EMPTY_SITE, SiteState } from '../../simulator/replica-site/core/state.js';
import { volumeRows } from '../../simulator/splitter/volume-rows.js';
import { ESTATE, G1, SiteUnderTest, V1 } from './site-core-fixture.js';

const PORT = { port: 7000 };
const BASE = {
  replicaSite: { control: PORT },
  appliances: [
    { id: 'a1', control: PORT, nbd: PORT },
    { id: 'a2', control: PORT, nbd: PORT },
  ],
  splitters: [
    { id: 's1', control: PORT, nbd: PORT, volumes: [{ id: 'v1', sizeMiB: 1, group: 'g1' }] },
    { id: 's2', control: PORT, nbd: PORT, volumes: [] },
  ],
  groups: [
    { id: 'g1', appliance: 'a1' },
    { id: 'g2', appliance: 'a2' },
  ],
  worker: { health: PORT },
};

function estateWith(changes: object): Estate {
  return estateSchema.parse({ ...BASE, ...changes });
}

function siteOf(estate: Estate): SiteState {
  const state = new SiteState(EMPTY_SITE, new SiteUnderTest().lineages);
  followEstate(state, estate, 0);
  return state;
}

function sentences(state: SiteState, estate: Estate): string[] {
  return estateDrift(state, estate).map(({ sentence }) => sentence);
}

test('a file that says what runs differs in nothing', () => {
  expect(sentences(siteOf(estateWith({})), estateWith({}))).toEqual([]);
});

test('a group that owns volumes stays when the file leaves it out, and so does its volume', () => {
  const state = siteOf(estateWith({}));
  const file = estateWith({
    splitters: [{ ...BASE.splitters[0], volumes: [] }],
    groups: [{ id: 'g2', appliance: 'a2' }],
  });
  followEstate(state, file, 0);
  expect(state.group(G1).appliance).toBe('a1');
  expect(sentences(state, file)).toEqual([
    expect.stringMatching(/^Group "g1" is not in the estate file, but owns 1 volumes\. They stay protected/),
    expect.stringMatching(/^Volume "v1" of splitter "s1" is not in the estate file\. It stays protected/),
  ]);
});

test('a group that owns volumes keeps its appliance; an empty one follows the file', () => {
  const state = siteOf(estateWith({}));
  const swapped = estateWith({
    groups: [
      { id: 'g1', appliance: 'a2' },
      { id: 'g2', appliance: 'a1' },
    ],
  });
  followEstate(state, swapped, 0);
  expect([...state.groups.values()].map(({ appliance }) => appliance)).toEqual(['a1', 'a1']);
  expect(sentences(state, swapped)).toEqual([
    expect.stringMatching(/^The estate file gives group "g1" to appliance "a2", but 1 volumes of it are protected/),
  ]);
});

test('an appliance that the file leaves out while its group owns volumes is told of with what it costs', () => {
  const state = siteOf(estateWith({}));
  const file = estateWith({
    appliances: [BASE.appliances[1]],
    groups: [{ id: 'g1', appliance: 'a2' }],
  });
  followEstate(state, file, 0);
  expect(sentences(state, file)[0]).toMatch(/^Appliance "a1" is not in the estate file.*no recovery point/);
});

test('what was changed at run time stays until the file says something new', () => {
  const state = siteOf(ESTATE);
  const changed = { ...state.group(G1), pointEveryMs: 777 };
  state.groups.put(G1, changed);
  followEstate(state, ESTATE, 0);
  expect(state.group(G1).pointEveryMs).toBe(777);
  const groups = ESTATE.groups.map((group) => (group.id === G1 ? { ...group, volumesMax: 9 } : group));
  followEstate(state, { ...ESTATE, groups }, 0);
  expect(state.group(G1)).toMatchObject({
    volumesMax: 9,
    pointEveryMs: ESTATE.groups.find(({ id }) => id === G1)?.pointEveryMs,
  });
});

test('a difference that was ended at run time is not told any more', () => {
  const state = siteOf(estateWith({}));
  const file = estateWith({ splitters: [{ ...BASE.splitters[0], volumes: [{ id: 'v1', sizeMiB: 2, group: 'g1' }] }] });
  const [drift] = estateDrift(state, file);
  expect(drift?.sentence).toMatch(/^Volume "v1" has 1 MiB, and 2 MiB in the estate file/);
  expect(drift?.holds(state)).toBe(true);
  state.volumes.put(V1, { ...state.volume(V1), sizeBytes: 2 * 1024 * 1024 });
  expect(drift?.holds(state)).toBe(false);
});

test.each([
  ['is missing in the file', []],
  ['has another size in the file', [{ id: 'v1', sizeMiB: 2, group: 'g1' }]],
])('a volume that %s is not said to stay protected once it was retired, or forgotten after it', (_what, volumes) => {
  const state = siteOf(estateWith({}));
  const [drift] = estateDrift(state, estateWith({ splitters: [{ ...BASE.splitters[0], volumes }] }));
  expect(drift?.sentence).toContain('It stays protected');
  expect(drift?.holds(state)).toBe(true);
  state.volumes.put(V1, { ...state.volume(V1), retired: { atMs: 1 } });
  expect(drift?.holds(state)).toBe(false);
  state.volumes.delete(V1);
  expect(drift?.holds(state)).toBe(false);
});

test('a splitter serves its stored volume that the file names nowhere, but not one that the file gives to another', () => {
  const s1 = splitterIdSchema.parse('s1');
  const s2 = splitterIdSchema.parse('s2');
  const first = volumeRows(estateWith({}), s1, new Map());
  const stored = new Map(first.rows.map((row) => [row.volume, row] as const));
  const nowhere = volumeRows(estateWith({ splitters: [{ ...BASE.splitters[0], volumes: [] }] }), s1, stored);
  expect(nowhere.rows).toEqual(first.rows);
  expect(nowhere.unstored).toEqual([]);
  expect(nowhere.drift).toEqual([expect.stringMatching(/^Volume "v1" is not in the estate file/)]);

  const elsewhere = estateWith({
    splitters: [
      { ...BASE.splitters[0], volumes: [] },
      { ...BASE.splitters[1], volumes: [{ id: 'v1', sizeMiB: 1, group: 'g1' }] },
    ],
  });
  expect(volumeRows(elsewhere, s1, stored)).toMatchObject({ rows: [], drift: [expect.stringContaining('"s2"')] });
  expect(volumeRows(elsewhere, s2, new Map()).rows).toHaveLength(1);
});
