// How an estate file differs from what runs: a difference for each kind, and what it costs.
import { expect, test } from 'vitest';
import {
  compareEstate,
  type DifferenceCode,
  type EstateSituation,
  type SplitterSituation,
} from '../../client/declaration/compare-estate.js';
import { MoverError } from '../../contracts/errors.js';
import { type Estate, type EstateInput, estateSchema } from '../../contracts/estate.js';
import { applianceIdSchema, groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import type { InventoryVolume } from '../../contracts/inventory.js';
import type { SiteGroup } from '../../contracts/replica-site-api.js';

const MIB = 1024 * 1024;
const PORT = { port: 7000 };
const INPUT: EstateInput = {
  replicaSite: { control: PORT },
  appliances: [{ id: 'a1', control: PORT, nbd: PORT }],
  splitters: [
    { id: 's1', control: PORT, nbd: PORT, volumes: [{ id: 'v1', sizeMiB: 1, group: 'g1', vm: 'one' }] },
    { id: 's2', control: PORT, nbd: PORT, volumes: [] },
  ],
  groups: [
    { id: 'g1', appliance: 'a1' },
    { id: 'g2', appliance: 'a1' },
  ],
  worker: { health: PORT },
};
const A1 = applianceIdSchema.parse('a1');
const S1 = splitterIdSchema.parse('s1');
const S2 = splitterIdSchema.parse('s2');
const G1 = groupIdSchema.parse('g1');
const G2 = groupIdSchema.parse('g2');
const V1 = volumeIdSchema.parse('v1');

const file = (changes: Partial<EstateInput> = {}): Estate => estateSchema.parse({ ...INPUT, ...changes });

function siteGroup(group: typeof G1, volumes: number): SiteGroup {
  const [declared] = file().groups;
  if (declared === undefined) throw new Error('The estate has a group.');
  const { id: _id, ...settings } = declared;
  return { ...settings, group, volumes, reserved: 0, journal: { bytes: 0, pointsDropped: 0 } };
}

const VOLUME: InventoryVolume = { volume: V1, splitter: S1, sizeBytes: MIB, group: G1, appliance: A1, vm: 'one' };
const SERVED = { volume: V1, sizeBytes: MIB, group: G1, appliance: A1 };

function running(changes: Partial<EstateSituation> = {}): EstateSituation {
  return {
    groups: [siteGroup(G1, 1), siteGroup(G2, 0)],
    volumes: [VOLUME],
    retired: new Set(),
    retiredProcesses: { appliances: new Set(), splitters: new Set() },
    splitters: new Map([
      [S1, { served: [SERVED], unusable: [] }],
      [S2, { served: [], unusable: [] }],
    ]),
    appliances: new Map([[A1, [G1, G2]]]),
    ...changes,
  };
}

test('nothing differs where the file says what runs, whatever its ports', () => {
  expect(compareEstate(file({ replicaSite: { control: { port: 1 } } }), running())).toEqual({
    ok: true,
    differences: [],
    moved: [],
  });
});

test('a volume that moved is no difference', () => {
  const plan = compareEstate(
    file(),
    running({
      groups: [siteGroup(G1, 0), siteGroup(G2, 1)],
      volumes: [{ ...VOLUME, group: G2 }],
      splitters: new Map([
        [S1, { served: [{ ...SERVED, group: G2 }], unusable: [] }],
        [S2, { served: [], unusable: [] }],
      ]),
    }),
  );
  expect(plan).toEqual({ ok: true, differences: [], moved: [{ volume: V1, declared: G1, group: G2 }] });
});

const DOWN = new Error('It does not answer.');
const onlyOn = (splitter: typeof S1): EstateSituation['splitters'] =>
  new Map([S1, S2].map((id) => [id, { served: id === splitter ? [SERVED] : [], unusable: [] }]));

test.each<[DifferenceCode, string, boolean, Estate, EstateSituation]>([
  ['SPLITTER_SILENT', 's1', true, file(), running({ splitters: new Map([[S1, DOWN]]) })],
  ['APPLIANCE_SILENT', 'a1', true, file(), running({ appliances: new Map([[A1, DOWN]]) })],
  ['GROUP_MISSING', 'g2', false, file(), running({ groups: [siteGroup(G1, 1)] })],
  ['GROUP_UNSERVED', 'g1', true, file(), running({ appliances: new Map([[A1, [G2]]]) })],
  [
    'GROUP_SETTINGS',
    'g1',
    false,
    file({
      groups: [
        { id: 'g1', appliance: 'a1', pointEveryMs: 900 },
        { id: 'g2', appliance: 'a1' },
      ],
    }),
    running(),
  ],
  ['GROUP_UNDECLARED', 'g2', false, file({ groups: [{ id: 'g1', appliance: 'a1' }] }), running()],
  [
    'VOLUME_SIZE',
    'v1',
    false,
    file({
      splitters: [{ id: 's1', control: PORT, nbd: PORT, volumes: [{ id: 'v1', sizeMiB: 2, group: 'g1', vm: 'one' }] }],
    }),
    running(),
  ],
  ['VOLUME_NAMES', 'v1', false, file(), running({ volumes: [{ ...VOLUME, labels: { tier: 'gold' } }] })],
  [
    'VOLUME_UNDECLARED',
    'v1',
    false,
    file({ splitters: [{ id: 's1', control: PORT, nbd: PORT, volumes: [] }] }),
    running(),
  ],
  ['VOLUME_UNSERVED', 'v1', true, file(), running({ splitters: onlyOn(S2) })],
  [
    'VOLUME_RETIRED',
    'v1',
    true,
    file(),
    running({
      volumes: [],
      retired: new Set([V1]),
      groups: [siteGroup(G1, 0), siteGroup(G2, 0)],
      splitters: new Map([[S1, { served: [], unusable: [] }]]),
    }),
  ],
  [
    'GROUP_RETIRED',
    'g2',
    false,
    file(),
    running({ groups: [siteGroup(G1, 1), { ...siteGroup(G2, 0), retired: { atMs: 1 } }] }),
  ],
  [
    'APPLIANCE_RETIRED',
    'a1',
    false,
    file(),
    running({
      retiredProcesses: { appliances: new Set([A1]), splitters: new Set() },
      groups: [siteGroup(G1, 1), siteGroup(G2, 0)],
      appliances: new Map([[A1, DOWN]]),
    }),
  ],
  [
    'SPLITTER_RETIRED',
    's2',
    false,
    file(),
    running({
      retiredProcesses: { appliances: new Set(), splitters: new Set([S2]) },
      splitters: new Map<typeof S1, SplitterSituation | Error>([
        [S1, { served: [SERVED], unusable: [] }],
        [S2, DOWN],
      ]),
    }),
  ],
  [
    'VOLUME_ROUTE',
    'v1',
    false,
    file(),
    running({ splitters: new Map([[S1, { served: [{ ...SERVED, group: G2 }], unusable: [] }]]) }),
  ],
])('%s of %s is told', (code, subject, unprotected, declaration, situation) => {
  const { ok, differences } = compareEstate(declaration, situation);
  expect(ok).toBe(false);
  expect(differences.map((each) => [each.code, each.subject, each.unprotected])).toEqual([
    [code, subject, unprotected],
  ]);
});

test('a retired group that the file leaves out is no difference', () => {
  const groups = [siteGroup(G1, 1), { ...siteGroup(G2, 0), retired: { atMs: 1 } }];
  expect(compareEstate(file({ groups: [{ id: 'g1', appliance: 'a1' }] }), running({ groups })).ok).toBe(true);
});

test('an appliance that the file leaves out costs protection, and comes first', () => {
  const declaration = file({
    appliances: [{ id: 'a2', control: PORT, nbd: PORT }],
    groups: [
      { id: 'g1', appliance: 'a2' },
      { id: 'g2', appliance: 'a2' },
    ],
  });
  const { differences } = compareEstate(declaration, running());
  expect(differences.map(({ code, unprotected }) => [code, unprotected])).toEqual([
    ['APPLIANCE_UNDECLARED', true],
    ['GROUP_APPLIANCE', false],
    ['GROUP_APPLIANCE', false],
  ]);
});

test('a volume that no site knows is in no point, whoever serves it', () => {
  const { differences } = compareEstate(file(), running({ volumes: [] }));
  expect(differences.map(({ code, unprotected }) => [code, unprotected])).toEqual([['VOLUME_MISSING', true]]);
  const undeclared = file({ splitters: [{ id: 's1', control: PORT, nbd: PORT, volumes: [] }] });
  expect(compareEstate(undeclared, running({ volumes: [] })).differences[0]?.message).toMatch(
    /^Splitter "s1" serves volume "v1", which neither the file nor the replica site has/,
  );
});

test('the reason of an unusable volume is passed on', () => {
  const unusable = new Map([[S1, { served: [], unusable: [{ volume: V1, reason: 'Its disk is gone.' }] }]]);
  const [difference] = compareEstate(file(), running({ splitters: unusable })).differences;
  expect(difference).toMatchObject({ code: 'VOLUME_UNSERVED', message: 'Its disk is gone.', unprotected: true });
});

test('a volume whose writes go through another appliance than its group’s is not protected', () => {
  const elsewhere = { ...SERVED, appliance: applianceIdSchema.parse('a9') };
  const splitters = new Map([
    [S1, { served: [elsewhere], unusable: [] }],
    [S2, { served: [], unusable: [] }],
  ]);
  expect(compareEstate(file(), running({ splitters })).differences).toMatchObject([
    { code: 'VOLUME_ROUTE', subject: V1, unprotected: true },
  ]);
});

test('a process that refuses is not told as one that is silent', () => {
  const splitters = new Map<typeof S1, SplitterSituation | Error>([
    [S1, { served: [SERVED], unusable: [] }],
    [S2, new MoverError('FORBIDDEN', 'The caller is a reader.')],
  ]);
  expect(compareEstate(file(), running({ splitters })).differences).toMatchObject([
    { code: 'PROCESS_REFUSED', subject: S2, message: '"s2" does not tell what it has: The caller is a reader.' },
  ]);
});

test('a volume whose row cannot be read is a difference of its own', () => {
  const unreadable = new Map([[V1, 'The row of volume "v1" is damaged.']]);
  expect(compareEstate(file(), running({ volumes: [], unreadable })).differences).toContainEqual(
    expect.objectContaining({ code: 'VOLUME_UNUSABLE', subject: V1, unprotected: true }),
  );
});

test('what to type has every flag that ends the difference', () => {
  const [volume] = file().splitters[0]?.volumes ?? [];
  const labelled = { ...volume, vm: "Ann's web", labels: { tier: 'gold', app: 'a b' } };
  const declaration = file({
    splitters: [{ id: 's1', control: PORT, nbd: PORT, volumes: [{ id: 'v1', sizeMiB: 1, group: 'g1', ...labelled }] }],
    groups: [
      { id: 'g1', appliance: 'a1', pointEveryMs: 900, volumesMax: 5, rpoMsMax: 30_000 },
      { id: 'g2', appliance: 'a1', retention: { weeklyMs: 3_600_000 } },
    ],
  });
  const actions = (situation: EstateSituation): string[] =>
    compareEstate(declaration, situation).differences.map(({ action }) => action);
  const names = `--vm 'Ann'\\''s web' --label tier=gold --label 'app=a b'`;
  expect(actions(running({ groups: [siteGroup(G1, 1)] }))).toEqual([
    'Change it: volume-mover group set g1 --point-every 0.9s --volumes-max 5 --rpo 30s; or correct the file.',
    'Add it: volume-mover group add g2 --appliance a1 --weekly 3600s',
    `Change it: volume-mover volume set v1 ${names}; or correct the file.`,
  ]);
  expect(actions(running({ volumes: [] }))[0]).toBe(
    `Add it: volume-mover volume add v1 --splitter s1 --size-mib 1 --group g1 ${names}`,
  );
  const bare = file({
    splitters: [{ id: 's1', control: PORT, nbd: PORT, volumes: [{ id: 'v1', sizeMiB: 1, group: 'g1' }] }],
  });
  expect(compareEstate(bare, running()).differences[0]?.action).toContain('volume set v1 --no-vm --no-labels;');
});

test('a volume that its splitter does not serve yet is added there as the site has it', () => {
  const { differences } = compareEstate(file(), running({ splitters: onlyOn(S2) }));
  expect(differences[0]?.action).toContain('volume add v1 --splitter s1 --size-mib 1 --group g1 --vm one;');
});

test('what no flag of a command says is left to the file', () => {
  for (const retention of [{ journalBytesMax: 2 * MIB }, { weeklyMs: 0 }]) {
    const declaration = file({
      groups: [
        { id: 'g1', appliance: 'a1', retention },
        { id: 'g2', appliance: 'a1' },
      ],
    });
    expect(compareEstate(declaration, running()).differences).toMatchObject([
      { code: 'GROUP_SETTINGS', action: 'Change it: volume-mover estate apply --yes; or correct the file.' },
    ]);
  }
});

test('a volume that only its splitter has is added with the size and group that it has there', () => {
  const undeclared = file({ splitters: [{ id: 's1', control: PORT, nbd: PORT, volumes: [] }] });
  expect(compareEstate(undeclared, running({ volumes: [] })).differences[0]?.action).toBe(
    'Add it at the site: volume-mover volume add v1 --splitter s1 --size-mib 1 --group g1',
  );
});
