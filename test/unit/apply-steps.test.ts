// What `estate apply` would do: a step for each difference that may be ended, in a safe order, and
// all others left with what to do.
import { expect, test } from 'vitest';
import { type Step, stepsToApply, stepText } from '../../client/declaration/apply-steps.js';
import type { EstateSituation } from '../../client/declaration/compare-estate.js';
import { type Estate, type EstateInput, estateSchema } from '../../contracts/estate.js';
import { applianceIdSchema, groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import type { InventoryVolume } from '../../contracts/inventory.js';
import type { SiteGroup } from '../../contracts/replica-site-api.js';
import { retentionPolicySchema } from '../../contracts/retention.js';

const MIB = 1024 * 1024;
const PORT = { port: 7000 };
const INPUT: EstateInput = {
  replicaSite: { control: PORT },
  appliances: [
    { id: 'a1', control: PORT, nbd: PORT },
    { id: 'a2', control: PORT, nbd: PORT },
  ],
  splitters: [{ id: 's1', control: PORT, nbd: PORT, volumes: [{ id: 'v1', sizeMiB: 1, group: 'g1' }] }],
  groups: [{ id: 'g1', appliance: 'a1' }],
  worker: { health: PORT },
};
const A1 = applianceIdSchema.parse('a1');
const A2 = applianceIdSchema.parse('a2');
const S1 = splitterIdSchema.parse('s1');
const G1 = groupIdSchema.parse('g1');
const G2 = groupIdSchema.parse('g2');
const V1 = volumeIdSchema.parse('v1');
const V2 = volumeIdSchema.parse('v2');

const file = (changes: Partial<EstateInput> = {}): Estate => estateSchema.parse({ ...INPUT, ...changes });
const withVolumes = (...volumes: EstateInput['splitters'][number]['volumes']): Partial<EstateInput> => ({
  splitters: [{ id: 's1', control: PORT, nbd: PORT, volumes }],
});

const siteGroup = (group: typeof G1, volumes: number, changes: Partial<SiteGroup> = {}): SiteGroup => ({
  group,
  appliance: A1,
  pointEveryMs: 5_000,
  volumesMax: 128,
  retention: retentionPolicySchema.parse({}),
  volumes,
  reserved: 0,
  journal: { bytes: 0, pointsDropped: 0 },
  ...changes,
});

const siteVolume = (volume: typeof V1, group = G1): InventoryVolume => ({
  volume,
  splitter: S1,
  sizeBytes: MIB,
  group,
  appliance: A1,
});
const served = (volume: typeof V1, group = G1) => ({ volume, sizeBytes: MIB, group, appliance: A1 });

const running = (changes: Partial<EstateSituation> = {}): EstateSituation => ({
  groups: [siteGroup(G1, 1)],
  volumes: [siteVolume(V1)],
  retired: new Set(),
  retiredProcesses: { appliances: new Set(), splitters: new Set() },
  splitters: new Map([[S1, { served: [served(V1)], unusable: [] }]]),
  appliances: new Map([
    [A1, [G1]],
    [A2, []],
  ]),
  ...changes,
});

const NONE = new Set<string>();
const texts = (steps: readonly Step[]): string[] => steps.map((step) => stepText(step));

test('nothing is done where nothing differs', () => {
  expect(stepsToApply(file(), running(), NONE)).toEqual({ steps: [], left: [], reasons: [] });
});

test('groups come before the volumes that join them, and what is retired goes last, volumes before their groups', () => {
  const declaration = file({
    ...withVolumes({ id: 'v2', sizeMiB: 1, group: 'g2', vm: 'two' }),
    groups: [{ id: 'g2', appliance: 'a2' }],
  });
  const { steps, left, reasons } = stepsToApply(declaration, running(), new Set(['g1', 'v1']));
  expect(texts(steps)).toEqual([
    'add group g2 at a2',
    'add volume v2 of s1 to g2, 1 MiB',
    'retire volume v1; its recovery points and its disk stay',
    'retire group g1; its recovery points stay',
  ]);
  expect({ left, reasons }).toEqual({ left: [], reasons: [] });
});

test('what the file leaves out is retired only by its name', () => {
  const declaration = file(withVolumes());
  const { steps, left } = stepsToApply(declaration, running(), NONE);
  expect(steps).toEqual([]);
  expect(left.map(({ code, action }) => [code, action])).toEqual([
    ['VOLUME_UNDECLARED', 'Put it back into the file, or end its protection: volume-mover volume retire v1'],
  ]);
});

test('a name is refused that the file has, or that nothing has; a retired one is done already', () => {
  const { reasons } = stepsToApply(file(), running({ retired: new Set([V2]) }), new Set(['v1', 'v2', 'v3']));
  expect(reasons.map(({ message }) => message)).toEqual([
    '"v1" is in the file, so it is not retired: remove it from the file first',
    'there is no volume or group "v3" to retire',
  ]);
});

test('settings and names are changed to those of the file', () => {
  const declaration = file({
    ...withVolumes({ id: 'v1', sizeMiB: 1, group: 'g1', labels: { app: 'shop' } }),
    groups: [{ id: 'g1', appliance: 'a1', volumesMax: 4 }],
  });
  const { steps } = stepsToApply(declaration, running({ volumes: [{ ...siteVolume(V1), vm: 'old' }] }), NONE);
  expect(texts(steps)).toEqual([
    expect.stringMatching(/^change group g1: pointEveryMs 5000, volumesMax 4, retention \{/),
    'change volume v1: no VM, labels app=shop',
  ]);
});

test('an empty group gets the appliance of the file; one that owns volumes is left with what to do', () => {
  const declaration = file({
    groups: [
      { id: 'g1', appliance: 'a2' },
      { id: 'g2', appliance: 'a2' },
    ],
  });
  const { steps, left } = stepsToApply(declaration, running({ groups: [siteGroup(G1, 1), siteGroup(G2, 0)] }), NONE);
  expect(texts(steps)).toEqual(['change group g2: appliance a2']);
  expect(left.map(({ code, subject }) => [code, subject])).toEqual([['GROUP_APPLIANCE', 'g1']]);
});

test('an addition that ended before its splitter had it is repeated, in the group where the volume is now', () => {
  const situation = running({
    groups: [siteGroup(G1, 0), siteGroup(G2, 1)],
    volumes: [siteVolume(V1, G2)],
    splitters: new Map([[S1, { served: [], unusable: [] }]]),
  });
  const declaration = file({
    groups: [
      { id: 'g1', appliance: 'a1' },
      { id: 'g2', appliance: 'a1' },
    ],
  });
  const { steps } = stepsToApply(declaration, { ...situation, appliances: new Map([[A1, [G1, G2]]]) }, NONE);
  expect(texts(steps)).toEqual(['add volume v1 of s1 to g2, 1 MiB']);
  const broken = new Map([[S1, { served: [], unusable: [{ volume: V1, reason: 'Its disk is gone.' }] }]]);
  const mended = stepsToApply(declaration, { ...situation, splitters: broken }, NONE);
  expect(mended.steps).toEqual([]);
  expect(mended.left.map(({ message }) => message)).toContain('Its disk is gone.');
});

test('a volume that the file makes larger grows; one that it makes smaller is left', () => {
  const bigger = stepsToApply(file(withVolumes({ id: 'v1', sizeMiB: 2, group: 'g1' })), running(), NONE);
  expect(texts(bigger.steps)).toEqual(['make volume v1 larger: 2 MiB']);
  expect(bigger.left).toEqual([]);
  const large = stepsToApply(file(), running({ volumes: [{ ...siteVolume(V1), sizeBytes: 2 * MIB }] }), NONE);
  expect(large.steps).toEqual([]);
  expect(large.left.map(({ action }) => action)).toEqual([
    'Correct sizeMiB in the file: no volume can be made smaller.',
  ]);
});

test('a group that has no room for all volumes together is refused before any is added', () => {
  const declaration = file({
    ...withVolumes(
      { id: 'v1', sizeMiB: 1, group: 'g1' },
      { id: 'v2', sizeMiB: 1, group: 'g1' },
      { id: 'v3', sizeMiB: 1, group: 'g1' },
    ),
    groups: [{ id: 'g1', appliance: 'a1', volumesMax: 3 }],
  });
  const reserved = running({ groups: [siteGroup(G1, 1, { volumesMax: 3, reserved: 1 })] });
  expect(stepsToApply(declaration, reserved, NONE).reasons).toEqual([
    {
      code: 'GROUP_FULL',
      subject: 'g1',
      message: 'group "g1" has room for 3 volumes; 2 are taken, and 2 would be added',
    },
  ]);
  const room = running({ groups: [siteGroup(G1, 1, { volumesMax: 3 })] });
  expect(stepsToApply(declaration, room, NONE).reasons).toEqual([]);
});
