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
const V1_IN_G1 = [{ id: 'v1', sizeMiB: 1, group: 'g1' }];
const BASE = {
  replicaSite: { control: PORT },
  appliances: [
    { id: 'a1', control: PORT, nbd: PORT },
    { id: 'a2', control: PORT, nbd: PORT },
  ],
  splitters: [
    { id: 's1', control: PORT, nbd: PORT, volumes: V1_IN_G1 },
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
  expect(nowhere.drift).toMatchObject([
    { sentence: expect.stringMatching(/^Volume "v1" is not in the estate file/) as string },
  ]);

  const elsewhere = estateWith({
    splitters: [
      { ...BASE.splitters[0], volumes: [] },
      { ...BASE.splitters[1], volumes: [{ id: 'v1', sizeMiB: 1, group: 'g1' }] },
    ],
  });
  expect(volumeRows(elsewhere, s1, stored)).toMatchObject({
    rows: [],
    drift: [{ sentence: expect.stringContaining('"s2"') as string }],
  });
  expect(volumeRows(elsewhere, s2, new Map()).rows).toHaveLength(1);
});

/** The estate, with other volumes of splitter s1. */
function estateOf(volumes: readonly object[], changes: object = {}): Estate {
  return estateWith({ splitters: [{ ...BASE.splitters[0], volumes }], ...changes });
}

test.each<[what: string, file: Estate, before: Estate, sentence: string]>([
  [
    'a volume whose name is a volume’s in capitals',
    estateOf([{ id: 'V1', sizeMiB: 1, group: 'g1' }]),
    estateWith({}),
    'Volume "V1" of the estate file was not added: its name belongs to volume "v1". It is not protected. Give it another name or group in the file.',
  ],
  [
    'a volume whose name is a group’s in capitals',
    estateOf([...V1_IN_G1, { id: 'late', sizeMiB: 1, group: 'g1' }]),
    estateWith({ groups: [...BASE.groups, { id: 'LATE', appliance: 'a1' }] }),
    'Volume "late" of the estate file was not added: its name belongs to group "LATE". It is not protected. Give it another name or group in the file.',
  ],
  [
    'a group whose name is a volume’s in capitals',
    estateOf([], { groups: [...BASE.groups, { id: 'V1', appliance: 'a1' }] }),
    estateWith({}),
    'Group "V1" of the estate file was not added: its name belongs to volume "v1". Give it another name in the file.',
  ],
  [
    'a larger size',
    estateOf([{ id: 'v1', sizeMiB: 2, group: 'g1' }]),
    estateWith({}),
    'Volume "v1" has 1 MiB, and 2 MiB in the estate file. It stays protected with the size it has. Correct sizeMiB in the file, or make it as large: volume-mover volume grow v1 --size 2MiB',
  ],
  [
    'a smaller size',
    estateOf([{ id: 'v1', sizeMiB: 2, group: 'g1' }]),
    estateOf([{ id: 'v1', sizeMiB: 3, group: 'g1' }]),
    'Volume "v1" has 3 MiB, and 2 MiB in the estate file. It stays protected with the size it has. No volume can be made smaller. Correct sizeMiB in the file.',
  ],
])('%s is told with what to do, in these words', (_what, file, before, sentence) => {
  const state = siteOf(before);
  followEstate(state, file, 0);
  expect(sentences(state, file)).toContain(sentence);
});

test('a retired volume that the file still has is told as not protected; one that the file left out is not told', () => {
  const state = siteOf(estateWith({}));
  state.volumes.put(V1, { ...state.volume(V1), retired: { atMs: 1 } });
  expect(sentences(state, estateWith({}))).toEqual([
    'Volume "v1" is in the estate file, but was retired: it is not protected. Remove it from the file.',
  ]);
  expect(sentences(state, estateOf([]))).toEqual([]);
});

test('a group that owns no volumes is told nothing of, wherever the file has it', () => {
  const state = siteOf(estateWith({}));
  const file = estateWith({ groups: [BASE.groups[0]], appliances: [BASE.appliances[0]] });
  expect(sentences(state, file)).toEqual([]);
});

test('each difference is told until a person ends it at run time', () => {
  const state = siteOf(estateWith({}));
  const holds = (file: Estate): boolean[] => estateDrift(state, file).map((drift) => drift.holds(state));
  const without = estateOf([], { groups: [BASE.groups[1]] });
  expect(holds(without)).toEqual([true, true]);

  const drifts = estateDrift(state, without);
  const row = state.volume(V1);
  // The volume is retired: nothing is protected against the file any more.
  state.volumes.put(V1, { ...row, retired: { atMs: 1 } });
  expect(drifts.map((drift) => drift.holds(state))).toEqual([false, false]);

  const [retired] = estateDrift(state, estateWith({}));
  expect(retired?.holds(state)).toBe(true);
  // It is forgotten: its name is free, and nobody has to be told.
  state.volumes.delete(V1);
  expect(retired?.holds(state)).toBe(false);

  state.volumes.put(V1, row);
  const [size] = estateDrift(state, estateOf([{ id: 'v1', sizeMiB: 2, group: 'g1' }]));
  expect(size?.holds(state)).toBe(true);
  state.volumes.delete(V1);
  expect(size?.holds(state)).toBe(false);
});

test('what was not added is told until it is there', () => {
  const state = siteOf(estateWith({}));
  const file = estateOf([...V1_IN_G1, { id: 'late', sizeMiB: 1, group: 'late-group' }], {
    groups: [...BASE.groups, { id: 'late-group', appliance: 'a1' }],
  });
  const drifts = estateDrift(state, file);
  expect(drifts.map((drift) => [drift.sentence.split(' of the')[0], drift.holds(state)])).toEqual([
    ['Group "late-group"', true],
    ['Volume "late"', true],
  ]);
  expect(drifts[1]?.sentence).toContain('was not added: there is no group "late-group". It is not protected.');
  followEstate(state, file, 0);
  expect(drifts.map((drift) => drift.holds(state))).toEqual([false, false]);
});

test.each([
  ['is missing in the file', []],
  ['has another size in the file', [{ id: 'v1', sizeMiB: 2, group: 'g1' }]],
])('a volume that %s is not said to be served once it was retired, nor if it can not be used', (_what, volumes) => {
  const s1 = splitterIdSchema.parse('s1');
  const { rows } = volumeRows(estateWith({}), s1, new Map());
  const stored = new Map(rows.map((row) => [row.volume, row] as const));
  const file = estateWith({ splitters: [{ ...BASE.splitters[0], volumes }] });
  const [drift] = volumeRows(file, s1, stored).drift;
  expect(drift?.sentence).toContain('It is served and protected');
  expect([drift?.holds(() => rows[0]?.sizeBytes), drift?.holds(() => undefined)]).toEqual([true, false]);
});
