// What a person reads when the replica site refuses to add, change or retire something: each reason
// in its exact words, with what to type next. And what counts as a repetition of an addition.
import { beforeEach, describe, expect, test } from 'vitest';
import { applianceIdSchema, groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { retentionPolicySchema } from '../../contracts/retention.js';
import * as lifecycle from '../../simulator/replica-site/core/lifecycle.js';
import { addPoint } from '../../simulator/replica-site/core/points.js';
import { retireAppliance, retireSplitter } from '../../simulator/replica-site/core/processes.js';
import { momentAt } from '../support/moment.js';
import { cut, G1, G2, LEASE_MS, ref, S1, SiteUnderTest, V1, V2 } from './site-core-fixture.js';

const A1 = applianceIdSchema.parse('a1');
const A2 = applianceIdSchema.parse('a2');
const NEW = volumeIdSchema.parse('new');
const S9 = splitterIdSchema.parse('s9');
const NOW = momentAt(0);
const nothing = (): void => undefined;
const MIB = 1024 * 1024;
const GROUP = {
  appliance: A1,
  pointEveryMs: 1_000,
  volumesMax: 4,
  retention: retentionPolicySchema.parse({}),
  dryRun: false,
};

let site: SiteUnderTest;
beforeEach(() => {
  site = new SiteUnderTest();
});

const order = (changes: object = {}) => ({
  volume: NEW,
  splitter: S1,
  sizeMiB: 2,
  group: G1,
  vm: undefined,
  labels: undefined,
  dryRun: false,
  ...changes,
});
const add = (changes: object = {}) => lifecycle.addVolume(site.state, order(changes), NOW);
const grow = (sizeMiB: number) => lifecycle.growVolume(site.state, { volume: V1, sizeMiB, dryRun: false }, NOW);
const retire = (volume = V1, now = NOW) => lifecycle.retireVolume(site.state, { volume, dryRun: false }, now);
const setGroup = (changes: object, group = G2) =>
  lifecycle.setGroup(site.state, { group, dryRun: false, ...changes }, NOW);
const retireGroup = (group = G2) => lifecycle.retireGroup(site.state, { group, dryRun: false }, NOW);
const addGroup = (id: string, changes: object = {}) =>
  lifecycle.addGroup(site.state, { group: groupIdSchema.parse(id), ...GROUP, ...changes });
const forget = (images = 0) => lifecycle.beginForgetting(site.state, { volume: V1, dryRun: false, images }, NOW);

test.each<[what: string, given: () => unknown, act: () => unknown, message: string]>([
  [
    'a volume whose name is another one’s',
    nothing,
    () => add({ volume: V1 }),
    'Volume "v1" cannot be added: there is a volume "v1" of splitter "s1" in group "g1" with 1 MiB.',
  ],
  [
    'a volume with other names than the one that is there',
    nothing,
    () => add({ volume: V1, sizeMiB: 1, vm: 'web' }),
    'Volume "v1" cannot be added: volume "v1" is there with no VM and no labels; to change them: volume-mover volume set v1.',
  ],
  [
    'a volume whose name differs from another one’s in capitals only',
    nothing,
    () => add({ volume: volumeIdSchema.parse('V1') }),
    'Volume "V1" cannot be added: "V1" has the name of volume "v1".',
  ],
  [
    'a volume whose name is a group’s',
    nothing,
    () => add({ volume: volumeIdSchema.parse('G2') }),
    'Volume "G2" cannot be added: "G2" has the name of group "g2".',
  ],
  [
    'a volume for a group that does not exist',
    nothing,
    () => add({ group: groupIdSchema.parse('g9') }),
    'Volume "new" cannot be added: there is no consistency group "g9".',
  ],
  [
    'a volume for a group that is full',
    () => setGroup({ volumesMax: 2 }, G1),
    () => add(),
    'Volume "new" cannot be added: group "g1" has room for 2 volumes; 2 are taken.',
  ],
  [
    'a volume for a group whose room is reserved by a move',
    () => site.open(1, { volumes: [V1, V2] }),
    () => add({ group: G2 }),
    'Volume "new" cannot be added: group "g2" has room for 2 volumes; 2 are taken.',
  ],
  [
    'a volume for a retired group',
    () => retireGroup(),
    () => add({ group: G2 }),
    'Volume "new" cannot be added: group "g2" is retired.',
  ],
  [
    'a volume of a retired splitter',
    () => retireSplitter(site.state, { splitter: S9, dryRun: false }, NOW),
    () => add({ splitter: S9 }),
    'Volume "new" cannot be added: splitter "s9" is retired.',
  ],
  [
    'a volume that was retired',
    () => retire(),
    () => add({ volume: V1, sizeMiB: 1 }),
    'Volume "v1" cannot be added: volume "v1" was retired, and its history is kept under this name.',
  ],
  [
    'a volume whose forgetting ended half done',
    () => (retire(), forget()),
    () => add({ volume: V1, sizeMiB: 1 }),
    'Volume "v1" cannot be added: volume "v1" is being forgotten, which did not end; to end it: volume-mover volume forget v1 --confirm v1.',
  ],
  [
    'names of a volume that is retired',
    () => retire(),
    () => lifecycle.setVolume(site.state, { volume: V1, vm: 'web', dryRun: false }),
    'Volume "v1" cannot be changed: volume "v1" is retired.',
  ],
  [
    'a smaller size',
    () => grow(3),
    () => grow(2),
    'Volume "v1" cannot be made larger: volume "v1" has 3 MiB at the replica site, and cannot be made smaller.',
  ],
  [
    'a larger size while the volume moves',
    () => site.open(1),
    () => grow(2),
    'Volume "v1" cannot be made larger: volume "v1" is being moved by m1.',
  ],
  [
    'a larger size of a retired volume',
    () => retire(),
    () => grow(2),
    'Volume "v1" cannot be made larger: volume "v1" was retired.',
  ],
  [
    'the end of a volume that is being moved',
    () => site.open(1),
    () => retire(),
    'Volume "v1" cannot be retired: volume "v1" is being moved by m1.',
  ],
  [
    'the forgetting of a protected volume with open images',
    nothing,
    () => forget(2),
    'Volume "v1" cannot be forgotten: volume "v1" is not retired; 2 images of volume "v1" are open.',
  ],
  [
    'a group that is there with other settings',
    nothing,
    () => addGroup('g2'),
    'Group "g2" cannot be added: there is a group "g2" with other settings; to change them: volume-mover group set g2.',
  ],
  [
    'a group of a retired appliance',
    () => retireAppliance(site.state, { appliance: A2, dryRun: false }, NOW),
    () => addGroup('late', { appliance: A2 }),
    'Group "late" cannot be added: appliance "a2" is retired.',
  ],
  [
    'another appliance for a group that owns volumes',
    nothing,
    () => setGroup({ appliance: A2 }, G1),
    'Group "g1" cannot be changed: 2 volumes of group "g1" are protected through appliance "a1".',
  ],
  [
    'another appliance for a group while a move brings volumes to it',
    () => site.open(1),
    () => setGroup({ appliance: A2 }),
    'Group "g2" cannot be changed: attempt m1#1 moves volumes to group "g2".',
  ],
  [
    'less room than a group’s volumes and those on their way need',
    () => site.open(1, { volumes: [V1, V2] }),
    () => setGroup({ volumesMax: 1 }),
    'Group "g2" cannot be changed: group "g2" owns 0 volumes, and 2 are on their way to it or may come back: more than 1.',
  ],
  [
    'settings of a retired group',
    () => retireGroup(),
    () => setGroup({ volumesMax: 9 }),
    'Group "g2" cannot be changed: group "g2" is retired.',
  ],
  [
    'the end of a group that owns volumes',
    nothing,
    () => retireGroup(G1),
    'Group "g1" cannot be retired: group "g1" owns 2 volumes.',
  ],
  [
    'the end of a group while a move brings volumes to it',
    () => site.open(1),
    () => retireGroup(),
    'Group "g2" cannot be retired: attempt m1#1 moves volumes to group "g2".',
  ],
  [
    'more points than a group may hold, by a shorter period',
    () => setGroup({ retention: { keepAllMs: 20 * 24 * 3_600_000 }, pointEveryMs: 60_000 }),
    () => setGroup({ pointEveryMs: 1_000 }),
    'Group "g2" cannot be changed: group "g2" keeps 1728000 points at one every 1000 ms; at most',
  ],
])('refuses %s, says why, and changes nothing', (_what, given, act, message) => {
  given();
  site.state.settle();
  expect(act).toThrow(message);
  expect(site.state.changes()).toEqual([]);
});

describe('an addition is a repetition only of the very same volume', () => {
  test.each([
    ['of another splitter', { splitter: splitterIdSchema.parse('s2') }],
    ['of another size', { sizeMiB: 3 }],
    ['in a group where it never was', { group: G2 }],
  ])('one %s is refused', (_what, changes) => {
    add();
    expect(() => add(changes)).toThrow('there is a volume "new" of splitter "s1" in group "g1" with 2 MiB');
  });

  test('one to the group where it is now, or to which it was added, changes nothing', () => {
    add();
    const row = { ...site.state.volume(NEW), group: G2, epoch: 2, addedTo: G1 };
    site.state.volumes.put(NEW, row);
    expect([add(), add({ group: G2 })]).toEqual([{ changed: false }, { changed: false }]);
    // Its first owner is no longer told once its history was cut; where it was added still is.
    site.state.volumes.put(NEW, { ...row, addedTo: G2 });
    expect(() => add({ group: G1 })).toThrow('there is a volume "new" of splitter "s1" in group "g2" with 2 MiB');
  });

  test('the VM and the labels that it is given stay with it', () => {
    add({ vm: 'web', labels: { tier: 'gold' } });
    expect(site.state.volume(NEW)).toMatchObject({ vm: 'web', labels: { tier: 'gold' } });
    expect(() => add({ vm: 'db' })).toThrow('volume "new" is there with VM web and labels tier=gold');
  });
});

test('what an attempt whose lease ran out was stopped by is told at the attempt', () => {
  const late = { ...NOW, monotonicMs: LEASE_MS };
  const reasons = [
    () => lifecycle.addVolume(site.state, order({ group: G2 }), late),
    () => lifecycle.setGroup(site.state, { group: G2, volumesMax: 1, dryRun: false }, late),
    () => lifecycle.retireGroup(site.state, { group: G2, dryRun: false }, late),
    () => retire(V1, late),
  ].map((change) => {
    site = new SiteUnderTest();
    site.open(1, { volumes: [V1, V2] });
    change();
    return site.state.attempt(ref(1))?.reason;
  });
  expect(reasons).toEqual([
    'its lease ran out, and volume "new" was added to group "g2"',
    'its lease ran out, and group "g2" was changed',
    'its lease ran out, and group "g2" was retired',
    'its lease ran out, and volume "v1" was retired',
  ]);
});

test('a larger size is accepted once, which a dry run does not do, and the size in force stays', () => {
  const growth = { volume: V1, sizeMiB: 3 };
  expect(lifecycle.growVolume(site.state, { ...growth, dryRun: true }, NOW)).toEqual({ changed: true });
  expect(site.state.volume(V1)).not.toHaveProperty('acceptedBytes');
  expect(grow(3)).toEqual({ changed: true });
  expect(site.state.volume(V1)).toMatchObject({ sizeBytes: MIB, acceptedBytes: 3 * MIB });
  expect(grow(3)).toEqual({ changed: false });
});

test('a member that only waited for its writes goes with a forgotten volume, and no other volume’s does', () => {
  for (const volume of [V1, V2]) {
    site.attach(volume);
    site.writes(1, 5, volume);
  }
  site.open(1, { volumes: [V1, V2] });
  const fenced = (volume = V1) => ({ ...cut(8, volume), fencedBy: ref(1) });
  const { id } = addPoint(site.state, {
    group: G1,
    kind: 'periodic',
    atMs: 0,
    cuts: [fenced(), fenced(V2)],
    leftOut: [],
  });
  expect(Object.keys(site.state.point(id).provisionalMarks)).toEqual([V1, V2]);
  retire(V1, { ...NOW, monotonicMs: LEASE_MS });
  forget();
  expect(Object.keys(site.state.point(id).provisionalMarks)).toEqual([V2]);
  expect(site.state.point(id).point.members.map(({ volume }) => volume)).toEqual([V2]);
});

test('a point that only tells why the volume was left out stays, also if it has no members', () => {
  const { id } = addPoint(site.state, {
    group: G1,
    kind: 'periodic',
    atMs: 0,
    cuts: [],
    leftOut: [{ volume: V1, reason: 'behind' }],
  });
  retire();
  forget();
  expect(site.state.point(id).point.leftOut).toEqual([{ volume: V2, reason: 'not-in-cut' }]);
});

test('a group that is brought back brings its retired appliance back', () => {
  for (const group of [G1, G2]) site.state.groups.put(group, { ...site.state.group(group), retired: { atMs: 1 } });
  retireAppliance(site.state, { appliance: A1, dryRun: false }, NOW);
  lifecycle.reviveGroup(site.state, G2);
  expect(site.state.isRetired('appliance', A1)).toBe(false);
  expect(site.state.group(G2).retired).toBeUndefined();
});

describe('a change of a group', () => {
  test('to just the room that its volumes and those on their way need is made; they stay on their way', () => {
    site.open(1, { volumes: [V1, V2] });
    expect(setGroup({ volumesMax: 9 })).toEqual({ changed: true });
    expect(setGroup({ volumesMax: 2 })).toEqual({ changed: true });
    expect(site.state.attempt(ref(1))?.state).toBe('OPEN');
  });

  test('that asks for what it has changes nothing, also in a retired one', () => {
    retireGroup();
    site.state.settle();
    expect(setGroup({ volumesMax: 2 })).toEqual({ changed: false });
    expect(site.state.changes()).toEqual([]);
  });

  test('that takes no room stops no attempt, though its lease ran out', () => {
    const late = { ...NOW, monotonicMs: LEASE_MS };
    site.open(1);
    for (const changes of [{ pointEveryMs: 7_000 }, { volumesMax: 9 }])
      lifecycle.setGroup(site.state, { group: G2, dryRun: false, ...changes }, late);
    expect(site.state.attempt(ref(1))?.state).toBe('OPEN');
  });

  test('of its room is made though an earlier version accepted more points than it may hold', () => {
    const retention = { ...GROUP.retention, keepAllMs: 365 * 24 * 3_600_000 };
    site.state.groups.put(G2, { ...site.state.group(G2), retention, pointEveryMs: 1_000 });
    expect(setGroup({ volumesMax: 9 })).toEqual({ changed: true });
  });
});

test('a new volume takes records at once, and a new group has an empty journal', () => {
  add();
  expect(site.state.volume(NEW).sealed).toBe(false);
  addGroup('late');
  expect(site.state.group(groupIdSchema.parse('late'))).toMatchObject({
    lastPointAtMs: 0,
    journal: { bytes: 0, pointsDropped: 0 },
  });
});

test('what is retired keeps the time of its end', () => {
  const late = momentAt(77);
  retire(V1, late);
  lifecycle.retireGroup(site.state, { group: G2, dryRun: false }, late);
  expect([site.state.volume(V1).retired, site.state.group(G2).retired]).toEqual([{ atMs: 77 }, { atMs: 77 }]);
});
