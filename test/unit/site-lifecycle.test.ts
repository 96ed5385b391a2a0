// The replica site's rules for volumes and groups that come and go: every reason at once, nothing
// changed by a refusal or a dry run, and a repetition that changes nothing.
import { expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import type { Estate } from '../../contracts/estate.js';
import {
  applianceIdSchema,
  type GroupId,
  groupIdSchema,
  splitterIdSchema,
  type VolumeId,
  volumeIdSchema,
} from '../../contracts/ids.js';
import { retentionPolicySchema } from '../../contracts/retention.js';
import { estateDrift } from '../../simulator/replica-site/core/estate-drift.js';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import * as lifecycle from '../../simulator/replica-site/core/lifecycle.js';
import { pageOfVolumes } from '../../simulator/replica-site/core/volume-listing.js';
import { hear } from '../../simulator/replica-site/core/attach.js';
import { addPoint } from '../../simulator/replica-site/core/points.js';
import { admit, beginHole } from '../../simulator/replica-site/core/records.js';
import type { SiteState } from '../../simulator/replica-site/core/state.js';
import type { SiteMoment } from '../../simulator/replica-site/core/terms.js';
import { claimOf } from '../support/identities.js';
import { cut, ESTATE, G1, G2, LEASE_MS, ref, S1, SiteUnderTest, V1, V2 } from './site-core-fixture.js';

const NEW = volumeIdSchema.parse('new');
const A1 = applianceIdSchema.parse('a1');
const A2 = applianceIdSchema.parse('a2');
const NOW = { wallMs: 1_000, monotonicMs: 0, ageMs: 1_000 };
const POINT = { group: G1, kind: 'periodic' as const, atMs: 0, leftOut: [] };
const RETENTION = retentionPolicySchema.parse({});

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

/** The codes of all reasons of a refusal. */
function codesOf(call: () => unknown): string[] {
  try {
    call();
  } catch (error) {
    if (error instanceof MoverError) return error.reasons.map(({ code }) => code);
    throw error;
  }
  return [];
}

test('an added volume has an owner from the beginning; a repetition changes nothing, wherever it moved', () => {
  const { state } = new SiteUnderTest();
  expect(lifecycle.addVolume(state, order(), NOW)).toEqual({ changed: true });
  expect(state.volume(NEW)).toMatchObject({
    splitter: S1,
    sizeBytes: 2 * 1024 * 1024,
    group: G1,
    epoch: 1,
    session: 0,
  });
  expect(state.ownersOf(NEW)).toMatchObject([{ group: G1, epoch: 1, fromPosition: 0 }]);
  state.volumes.put(NEW, { ...state.volume(NEW), group: G2, epoch: 2 });
  state.settle();
  expect(lifecycle.addVolume(state, order(), NOW)).toEqual({ changed: false });
  expect(state.changes()).toEqual([]);
});

test('the VM and the labels of a volume change to those given, and only those', () => {
  const { state } = new SiteUnderTest();
  state.settle();
  const set = (changes: object): unknown => lifecycle.setVolume(state, { volume: V1, dryRun: false, ...changes });
  expect(set({ vm: 'one', labels: { app: 'shop' }, dryRun: true })).toEqual({ changed: true });
  expect(state.changes()).toEqual([]);
  expect(set({ vm: 'one', labels: { app: 'shop' } })).toEqual({ changed: true });
  expect(set({ vm: 'one', labels: { app: 'shop' } })).toEqual({ changed: false });
  expect(set({ labels: {} })).toEqual({ changed: true });
  expect(state.volume(V1)).toMatchObject({ vm: 'one' });
  expect(state.volume(V1)).not.toHaveProperty('labels');
  expect(state.disksOf('one').map(({ volume }) => volume)).toEqual([V1]);
  expect(set({ vm: null })).toEqual({ changed: true });
  expect(state.disksOf('one')).toEqual([]);
  lifecycle.retireVolume(state, { volume: V1, dryRun: false }, NOW);
  expect(codesOf(() => set({ vm: 'two' }))).toEqual(['VOLUME_RETIRED']);
});

test('a dry run and a refusal of an addition change nothing', () => {
  const { state } = new SiteUnderTest();
  state.settle();
  expect(lifecycle.addVolume(state, order({ dryRun: true }), NOW)).toEqual({ changed: true });
  const wrong = order({ volume: volumeIdSchema.parse('V1'), group: groupIdSchema.parse('none') });
  expect(codesOf(() => lifecycle.addVolume(state, wrong, NOW))).toEqual(['NAME_TAKEN', 'GROUP_NOT_FOUND']);
  const otherHost = order({ volume: V1, splitter: splitterIdSchema.parse('s9') });
  expect(codesOf(() => lifecycle.addVolume(state, otherHost, NOW))).toEqual(['NAME_TAKEN']);
  state.groups.put(G1, { ...state.group(G1), volumesMax: 1, retired: { atMs: 1 } });
  state.settle();
  expect(codesOf(() => lifecycle.addVolume(state, order(), NOW))).toEqual(['GROUP_RETIRED', 'GROUP_FULL']);
  expect(state.changes()).toEqual([]);
});

test('a retired volume leaves its group, its VM and the listings; its owner’s span ends; its name stays taken', () => {
  const { state } = new SiteUnderTest();
  state.volumes.put(V1, { ...state.volume(V1), vm: 'one' });
  expect(lifecycle.retireVolume(state, { volume: V1, dryRun: true }, NOW)).toEqual({ changed: true });
  expect(state.volume(V1).retired).toBeUndefined();
  expect(lifecycle.retireVolume(state, { volume: V1, dryRun: false }, NOW)).toEqual({ changed: true });
  expect(lifecycle.retireVolume(state, { volume: V1, dryRun: false }, NOW)).toEqual({ changed: false });
  expect(state.membersOf(G1).map(({ volume }) => volume)).toEqual([V2]);
  expect(state.disksOf('one')).toEqual([]);
  const listed = (filter: object): string[] =>
    pageOfVolumes(state, { limit: 10, ...filter }).items.map(({ volume }) => volume);
  expect(listed({})).toEqual([V2]);
  expect(listed({ group: G1 })).toEqual([V2]);
  expect(listed({ volume: V1 })).toEqual([V1]);
  expect(state.ownersOf(V1)).toMatchObject([{ group: G1, toPosition: 0, toMs: 1_000 }]);
  expect(codesOf(() => lifecycle.addVolume(state, order({ volume: V1 }), NOW))).toEqual(['VOLUME_RETIRED']);
});

test('the span of a retired volume ends after its beginning, also if its journal cannot be opened', () => {
  const { state } = new SiteUnderTest();
  state.owners.put(`${V1}:1`, { owner: { volume: V1, group: G1, epoch: 1, fromPosition: 5, fromMs: 9_000 } });
  expect(state.lineages.durable(V1).position).toBe(0);
  lifecycle.retireVolume(state, { volume: V1, dryRun: false }, NOW);
  expect(state.ownersOf(V1)).toMatchObject([{ fromPosition: 5, toPosition: 5, fromMs: 9_000, toMs: 9_000 }]);
});

test('a new volume of the estate file brings a retired group back; one that is there already does not', () => {
  const { state } = new SiteUnderTest();
  state.groups.put(G2, { ...state.group(G2), retired: { atMs: 1 } });
  followEstate(state, ESTATE, 0);
  expect(state.group(G2).retired).toEqual({ atMs: 1 });
  const [splitter, ...others] = ESTATE.splitters;
  if (splitter === undefined) throw new Error('The estate has a splitter.');
  const volumes = [...splitter.volumes, { id: NEW, sizeMiB: 1, group: G2 }];
  followEstate(state, { ...ESTATE, splitters: [{ ...splitter, volumes }, ...others] }, 0);
  expect(state.group(G2).retired).toBeUndefined();
  expect(state.volume(NEW).group).toBe(G2);
});

test('nothing of a retired volume is accepted, and no estate file brings it back', () => {
  const site = new SiteUnderTest();
  lifecycle.retireVolume(site.state, { volume: V1, dryRun: false }, NOW);
  expect(admit(site.state, V1, { session: 1, n: 1, epoch: 1 })).toMatchObject({
    kind: 'refuse',
    code: 'VOLUME_RETIRED',
  });
  const { sizeBytes, group } = site.state.volume(V1);
  expect(hear(site.state, V1, claimOf({ session: 1, epoch: 1, sizeBytes }, group), NOW)).toMatchObject({
    code: 'VOLUME_RETIRED',
  });
  site.state.settle();
  followEstate(site.state, ESTATE, 0);
  expect(site.state.changes()).toEqual([]);
});

test('only a retired volume is forgotten, with every promise and open image named, and a refusal changes nothing', () => {
  const site = new SiteUnderTest();
  site.attach();
  site.attach(V2);
  site.writes(1, 3);
  const { state } = site;
  addPoint(state, { ...POINT, cuts: [cut(1), cut(0, V2)], bookmark: 'audit', keep: 'forever' });
  addPoint(state, { ...POINT, cuts: [cut(2)], bookmark: 'month', keep: { forMs: 5_000 } });
  addPoint(state, { ...POINT, cuts: [cut(0, V2)], bookmark: 'of another', keep: 'forever' });
  addPoint(state, { ...POINT, cuts: [cut(3)], bookmark: 'by the policy' });
  const forget = (images: number, wallMs = 1_000) =>
    lifecycle.beginForgetting(state, { volume: V1, dryRun: false, images }, { ...NOW, ageMs: wallMs });
  state.settle();
  expect(codesOf(() => forget(2))).toEqual([
    'VOLUME_NOT_RETIRED',
    'HISTORY_IN_USE',
    'HISTORY_IN_USE',
    'HISTORY_IN_USE',
  ]);
  lifecycle.retireVolume(state, { volume: V1, dryRun: false }, NOW);
  state.settle();
  expect(() => forget(0)).toThrow(
    'bookmark "audit" (point p000000001 of group "g1") contains it and is promised for ever; bookmark "month" (point p000000002 of group "g1") contains it and is promised until 1970-01-01T00:00:05.002Z.',
  );
  expect(state.changes()).toEqual([]);
  expect(codesOf(() => forget(0, 9_000))).toEqual(['HISTORY_IN_USE']);
});

test('a forgotten volume leaves every point, hole and span of ownership; its name begins anew', () => {
  const site = new SiteUnderTest();
  site.attach();
  site.attach(V2);
  site.writes(1, 3);
  const { state } = site;
  const both = addPoint(state, { ...POINT, cuts: [cut(1), cut(0, V2)] }).id;
  const alone = addPoint(state, { ...POINT, cuts: [cut(2)], bookmark: 'mine' }).id;
  const without = addPoint(state, { ...POINT, cuts: [cut(0, V2)], leftOut: [{ volume: V1, reason: 'behind' }] }).id;
  beginHole(state, V1, { fromPosition: 3, sinceMs: 1, reason: 'test' });
  lifecycle.retireVolume(state, { volume: V1, dryRun: false }, NOW);
  expect(lifecycle.beginForgetting(state, { volume: V1, dryRun: true, images: 0 }, NOW)).toEqual({ changed: true });
  expect(state.point(alone).point.members).toHaveLength(1);

  const order0 = { volume: V1, dryRun: false, images: 0 };
  expect(lifecycle.beginForgetting(state, order0, NOW)).toEqual({ changed: true });
  expect(state.point(both).point.members.map(({ volume }) => volume)).toEqual([V2]);
  expect(state.points.get(alone)).toBeUndefined();
  expect(state.point(without).point.leftOut).toEqual([]);
  expect([state.holesOf(V1), state.ownersOf(V1)]).toEqual([[], []]);
  expect(codesOf(() => lifecycle.addVolume(state, order({ volume: V1 }), NOW))).toEqual(['VOLUME_RETIRED']);
  // A start in between gives it no owner, and a file that has it does not bring it back.
  followEstate(state, ESTATE, 0);
  expect(state.ownersOf(V1)).toEqual([]);

  expect(lifecycle.beginForgetting(state, order0, NOW)).toEqual({ changed: true });
  lifecycle.endForgetting(state, V1);
  state.forgetVolume(V1);
  expect(state.volumes.get(V1)).toBeUndefined();
  expect(lifecycle.addVolume(state, order({ volume: V1 }), NOW)).toEqual({ changed: true });
  lifecycle.endForgetting(state, V1);
  expect(state.volume(V1)).toMatchObject({ epoch: 1, session: 0, group: G1 });
  expect(state.ownersOf(V1)).toMatchObject([{ fromPosition: 0 }]);
});

test('a group comes, changes and goes; a retired one comes back with new settings', () => {
  const { state } = new SiteUnderTest();
  const group = groupIdSchema.parse('late');
  const settings = { group, appliance: A1, pointEveryMs: 1_000, volumesMax: 4, retention: RETENTION, dryRun: false };
  expect(lifecycle.addGroup(state, { ...settings, dryRun: true })).toEqual({ changed: true });
  expect(state.groups.get(group)).toBeUndefined();
  expect(lifecycle.addGroup(state, settings)).toEqual({ changed: true });
  expect(lifecycle.addGroup(state, settings)).toEqual({ changed: false });
  expect(codesOf(() => lifecycle.addGroup(state, { ...settings, volumesMax: 5 }))).toEqual(['NAME_TAKEN']);
  expect(codesOf(() => lifecycle.addGroup(state, { ...settings, group: groupIdSchema.parse('LATE') }))).toEqual([
    'NAME_TAKEN',
  ]);
  expect(lifecycle.setGroup(state, { group, appliance: A2, dryRun: false }, NOW)).toEqual({ changed: true });
  expect(state.group(group)).toMatchObject({ appliance: A2, pointEveryMs: 1_000, volumesMax: 4 });
  expect(lifecycle.retireGroup(state, { group, dryRun: false }, NOW)).toEqual({ changed: true });
  expect(lifecycle.retireGroup(state, { group, dryRun: false }, NOW)).toEqual({ changed: false });
  expect(codesOf(() => lifecycle.setGroup(state, { group, volumesMax: 9, dryRun: false }, NOW))).toEqual([
    'GROUP_RETIRED',
  ]);
  expect(lifecycle.addGroup(state, { ...settings, volumesMax: 5 })).toEqual({ changed: true });
  expect(state.group(group)).toMatchObject({ appliance: A1, volumesMax: 5 });
  expect(state.group(group).retired).toBeUndefined();
});

test('a group that owns volumes keeps its appliance and its room, and is not retired', () => {
  const { state } = new SiteUnderTest();
  state.settle();
  expect(
    codesOf(() => lifecycle.setGroup(state, { group: G1, appliance: A2, volumesMax: 1, dryRun: false }, NOW)),
  ).toEqual(['GROUP_IN_USE', 'GROUP_IN_USE']);
  expect(codesOf(() => lifecycle.retireGroup(state, { group: G1, dryRun: false }, NOW))).toEqual(['GROUP_IN_USE']);
  expect(state.changes()).toEqual([]);
});

/** The estate of the fixture, with group g2 changed and volumes added. */
function estateWith(group: object, more: readonly { readonly id: VolumeId; readonly group: GroupId }[] = []): Estate {
  const [splitter, ...others] = ESTATE.splitters;
  if (splitter === undefined) throw new Error('The estate has a splitter.');
  const volumes = [...splitter.volumes, ...more.map((volume) => ({ ...volume, sizeMiB: 1 }))];
  const groups = ESTATE.groups.map((each) => (each.id === G2 ? { ...each, ...group } : each));
  return { ...ESTATE, groups, splitters: [{ ...splitter, volumes }, ...others] };
}

test('a start keeps what was set at run time, also once the group owns volumes at another appliance than the file says', () => {
  const { state } = new SiteUnderTest();
  const retention = { ...RETENTION, keepAllMs: 24 * 3_600_000 };
  lifecycle.setGroup(state, { group: G2, appliance: A2, pointEveryMs: 9_000, retention, dryRun: false }, NOW);
  lifecycle.addVolume(state, order({ group: G2 }), NOW);
  state.settle();
  followEstate(state, ESTATE, 0);
  expect(state.changes()).toEqual([]);
  expect(state.group(G2)).toMatchObject({ appliance: A2, pointEveryMs: 9_000, retention });
});

test('the RPO of a group is set, cleared, and follows the file only where that says something new', () => {
  const { state } = new SiteUnderTest();
  const set = (rpoMsMax: number | null) => lifecycle.setGroup(state, { group: G2, rpoMsMax, dryRun: false }, NOW);
  expect([set(30_000), set(30_000)]).toEqual([{ changed: true }, { changed: false }]);
  lifecycle.setGroup(state, { group: G2, pointEveryMs: 9_000, dryRun: false }, NOW);
  expect(state.group(G2)).toMatchObject({ rpoMsMax: 30_000, pointEveryMs: 9_000 });
  state.settle();
  followEstate(state, ESTATE, 0);
  expect(state.changes()).toEqual([]);
  followEstate(state, estateWith({ rpoMsMax: 40_000 }), 0);
  expect(state.group(G2)).toMatchObject({ rpoMsMax: 40_000, declared: { rpoMsMax: 40_000 } });
  followEstate(state, ESTATE, 0);
  expect(state.group(G2)).not.toHaveProperty('rpoMsMax');
  expect(state.group(G2).declared).not.toHaveProperty('rpoMsMax');
  expect([set(30_000), set(null), set(null)]).toEqual([{ changed: true }, { changed: true }, { changed: false }]);
  expect(state.group(G2)).not.toHaveProperty('rpoMsMax');
});

test('another appliance in the file is followed once the group owns no volumes, and the file’s other news at once', () => {
  const { state } = new SiteUnderTest();
  lifecycle.addVolume(state, order({ group: G2 }), NOW);
  followEstate(state, estateWith({ appliance: A2, pointEveryMs: 7_000 }), 0);
  expect(state.group(G2)).toMatchObject({ appliance: A1, pointEveryMs: 7_000 });
  lifecycle.retireVolume(state, { volume: NEW, dryRun: false }, NOW);
  followEstate(state, estateWith({ appliance: A2, pointEveryMs: 7_000 }), 0);
  expect(state.group(G2)).toMatchObject({ appliance: A2, pointEveryMs: 7_000 });
});

test('a start does not add a volume or group whose name differs from a known one’s in capitals only', () => {
  const { state } = new SiteUnderTest();
  lifecycle.addVolume(state, order(), NOW);
  state.settle();
  followEstate(state, estateWith({}, [{ id: volumeIdSchema.parse('NEW'), group: G1 }]), 0);
  expect(state.changes()).toEqual([]);
  const late = { group: groupIdSchema.parse('late-group'), appliance: A1, pointEveryMs: 1_000, volumesMax: 4 };
  lifecycle.addGroup(state, { ...late, retention: RETENTION, dryRun: false });
  state.settle();
  followEstate(state, estateWith({}, [{ id: volumeIdSchema.parse('late-group'), group: G1 }]), 0);
  expect(state.changes()).toEqual([]);
  const G3 = groupIdSchema.parse('G2');
  const groups = ESTATE.groups.map((each) => (each.id === G2 ? { ...each, id: G3 } : each));
  const renamed = { ...estateWith({}, [{ id: volumeIdSchema.parse('late'), group: G3 }]), groups };
  followEstate(state, renamed, 0);
  expect(state.changes()).toEqual([]);
  expect(estateDrift(state, renamed).map(({ sentence }) => sentence)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^Group "G2" of the estate file was not added: .* "g2"/),
      expect.stringMatching(/^Volume "late" of the estate file was not added.*not protected/),
    ]),
  );
});

test('an attempt whose lease ran out gives up its room to an added volume, and commits no more', () => {
  const site = new SiteUnderTest();
  const { state } = site;
  site.open(1, { volumes: [V1, V2] });
  const late = { ...NOW, monotonicMs: LEASE_MS };
  expect(lifecycle.addVolume(state, order({ group: G2, dryRun: true }), late)).toEqual({ changed: true });
  expect(state.attempt(ref(1))?.state).toBe('OPEN');
  lifecycle.addVolume(state, order({ group: G2 }), late);
  expect(state.attempt(ref(1))?.state).toBe('ABORTED');
  expect(state.volume(V1).openAttempt).toBeUndefined();
});

test('a group keeps room for what is on its way to it', () => {
  const site = new SiteUnderTest();
  site.open(1, { volumes: [V1, V2] });
  const fewer = { group: G2, volumesMax: 1, dryRun: false };
  expect(codesOf(() => lifecycle.setGroup(site.state, fewer, NOW))).toEqual(['GROUP_IN_USE']);
  lifecycle.setGroup(site.state, fewer, { ...NOW, monotonicMs: LEASE_MS });
  expect(site.state.group(G2).volumesMax).toBe(1);
  expect(site.state.attempt(ref(1))?.state).toBe('ABORTED');
});

test('a dead attempt keeps no group from another appliance or its end; a dry run leaves it open', () => {
  for (const change of [
    (state: SiteState, dryRun: boolean, now: SiteMoment) =>
      lifecycle.setGroup(state, { group: G2, appliance: A2, dryRun }, now),
    (state: SiteState, dryRun: boolean, now: SiteMoment) => lifecycle.retireGroup(state, { group: G2, dryRun }, now),
  ]) {
    const site = new SiteUnderTest();
    site.open(1);
    expect(codesOf(() => change(site.state, false, NOW))).toHaveLength(1);
    const late = { ...NOW, monotonicMs: LEASE_MS };
    expect(change(site.state, true, late)).toEqual({ changed: true });
    expect(site.state.attempt(ref(1))?.state).toBe('OPEN');
    expect(change(site.state, false, late)).toEqual({ changed: true });
    expect(site.state.attempt(ref(1))?.state).toBe('ABORTED');
  }
});

test('more points than a group may hold are refused, as in the estate file', () => {
  const { state } = new SiteUnderTest();
  const retention = { ...RETENTION, keepAllMs: 365 * 24 * 3_600_000 };
  const settings = { appliance: A1, pointEveryMs: 1_000, volumesMax: 4, retention, dryRun: false };
  state.settle();
  expect(codesOf(() => lifecycle.addGroup(state, { group: groupIdSchema.parse('late'), ...settings }))).toEqual([
    'INVALID_REQUEST',
  ]);
  expect(codesOf(() => lifecycle.setGroup(state, { group: G2, retention, dryRun: false }, NOW))).toEqual([
    'INVALID_REQUEST',
  ]);
  expect(state.changes()).toEqual([]);
});

test('a repetition with another VM or other labels is refused and says how they change', () => {
  const { state } = new SiteUnderTest();
  lifecycle.addVolume(state, order({ vm: 'one', labels: { app: 'shop' } }), NOW);
  expect(lifecycle.addVolume(state, order(), NOW)).toEqual({ changed: false });
  expect(lifecycle.addVolume(state, order({ vm: 'one', labels: { app: 'shop' } }), NOW)).toEqual({ changed: false });
  for (const other of [{ vm: 'two' }, { labels: { app: 'mail' } }]) {
    expect(codesOf(() => lifecycle.addVolume(state, order(other), NOW))).toEqual(['NAME_TAKEN']);
    expect(() => lifecycle.addVolume(state, order(other), NOW)).toThrow(
      /VM one and labels app=shop; to change them: volume-mover volume set new/,
    );
  }
});

test('a splitter that knows a newer owner brings the volume’s retired group back', () => {
  const { state } = new SiteUnderTest();
  lifecycle.retireGroup(state, { group: G2, dryRun: false }, NOW);
  const { sizeBytes } = state.volume(V1);
  hear(state, V1, claimOf({ session: 1, epoch: 2, sizeBytes }, G2), NOW);
  expect(state.volume(V1)).toMatchObject({ group: G2, epoch: 2 });
  expect(state.group(G2).retired).toBeUndefined();
});

test('no point names a retired volume, whatever the cut says of it', () => {
  const { state } = new SiteUnderTest();
  lifecycle.retireVolume(state, { volume: V1, dryRun: false }, NOW);
  const cut = { session: 1, n: 0, volume: V1 };
  const point = { group: G1, kind: 'periodic', atMs: 5, cuts: [], leftOut: [] } as const;
  const named = [
    addPoint(state, { ...point, leftOut: [{ volume: V1, reason: 'unreachable' }] }),
    addPoint(state, { ...point, cuts: [cut] }),
  ].flatMap(({ members, leftOut }) => [...members, ...leftOut].map(({ volume }) => volume));
  expect(named).toEqual([V2, V2]);
});

test('two changes of a policy, each of another period, both stand', () => {
  const { state } = new SiteUnderTest();
  lifecycle.setGroup(state, { group: G2, retention: { keepAllMs: 5_000_000 }, dryRun: false }, NOW);
  lifecycle.setGroup(state, { group: G2, retention: { hourlyMs: 90_000_000 }, dryRun: false }, NOW);
  expect(state.group(G2).retention).toEqual({ ...RETENTION, keepAllMs: 5_000_000, hourlyMs: 90_000_000 });
});
