// The replica site's rules for appliances and splitters that are retired: refused while anything is
// given to them, given nothing afterwards, and brought back by a person or by what a file adds.
import { expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import type { Estate } from '../../contracts/estate.js';
import { applianceIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import * as lifecycle from '../../simulator/replica-site/core/lifecycle.js';
import * as processes from '../../simulator/replica-site/core/processes.js';
import type { SiteState } from '../../simulator/replica-site/core/state.js';
import { ESTATE, G1, G2, S1, SiteUnderTest, V1, V2 } from './site-core-fixture.js';

const A1 = applianceIdSchema.parse('a1');
const A2 = applianceIdSchema.parse('a2');
const S2 = splitterIdSchema.parse('s2');
const NOW = { wallMs: 1_000, monotonicMs: 0, ageMs: 1_000 };

function reasonsOf(call: () => unknown): string[] {
  try {
    call();
  } catch (error) {
    if (error instanceof MoverError) return error.reasons.map(({ code, subject }) => `${code} ${subject}`);
    throw error;
  }
  return [];
}

/** A site that has followed the file, with nothing unsettled. */
function siteOf(estate: Estate = ESTATE): SiteState {
  const { state } = new SiteUnderTest();
  followEstate(state, estate, 0);
  state.settle();
  return state;
}

const retireAppliance = (state: SiteState, appliance = A1, dryRun = false) =>
  processes.retireAppliance(state, { appliance, dryRun }, NOW);
const retireSplitter = (state: SiteState, splitter = S1, dryRun = false) =>
  processes.retireSplitter(state, { splitter, dryRun }, NOW);

function emptied(state: SiteState): SiteState {
  for (const volume of [V1, V2]) lifecycle.retireVolume(state, { volume, dryRun: false }, NOW);
  return state;
}

test('an appliance is retired once no group is set to it, and then no group can be', () => {
  const state = emptied(siteOf());
  expect(reasonsOf(() => retireAppliance(state))).toEqual(['PROCESS_IN_USE g1', 'PROCESS_IN_USE g2']);
  lifecycle.retireGroup(state, { group: G1, dryRun: false }, NOW);
  lifecycle.setGroup(state, { group: G2, appliance: A2, dryRun: false }, NOW);
  state.settle();
  expect(retireAppliance(state, A1, true)).toEqual({ changed: true });
  expect(state.changes()).toEqual([]);
  expect(retireAppliance(state)).toEqual({ changed: true });
  expect(retireAppliance(state)).toEqual({ changed: false });
  expect(processes.retiredProcesses(state)).toEqual({ appliances: [A1], splitters: [] });

  expect(reasonsOf(() => lifecycle.setGroup(state, { group: G2, appliance: A1, dryRun: false }, NOW))).toEqual([
    'PROCESS_RETIRED a1',
  ]);
  const { volumesMax, pointEveryMs, retention } = state.group(G1);
  const again = { group: G1, appliance: A1, volumesMax, pointEveryMs, retention, dryRun: false };
  expect(reasonsOf(() => lifecycle.addGroup(state, again))).toEqual(['PROCESS_RETIRED a1']);
  expect(processes.addAppliance(state, { appliance: A1, dryRun: false })).toEqual({ changed: true });
  expect(processes.addAppliance(state, { appliance: A1, dryRun: false })).toEqual({ changed: false });
  expect(lifecycle.addGroup(state, again)).toEqual({ changed: true });
});

test('a splitter is retired once its volumes are, and then none can be added at it', () => {
  const state = siteOf();
  expect(reasonsOf(() => retireSplitter(state))).toEqual(['PROCESS_IN_USE v1', 'PROCESS_IN_USE v2']);
  expect(retireSplitter(emptied(state))).toEqual({ changed: true });
  const volume = volumeIdSchema.parse('new');
  const order = { volume, splitter: S1, sizeMiB: 1, group: G1, dryRun: false };
  expect(reasonsOf(() => lifecycle.addVolume(state, order, NOW))).toEqual(['PROCESS_RETIRED s1']);
  expect(lifecycle.addVolume(state, { ...order, splitter: S2 }, NOW)).toEqual({ changed: true });
  expect(processes.addSplitter(state, { splitter: S1, dryRun: false })).toEqual({ changed: true });
});

test('an appliance and a splitter of one name are two', () => {
  const state = siteOf();
  expect(retireAppliance(state, applianceIdSchema.parse('s1'))).toEqual({ changed: true });
  expect(state.isRetired('splitter', 's1')).toBe(false);
});

test('a refusal lists the first twenty reasons and counts the others', () => {
  const state = siteOf();
  for (let i = 0; i < 30; i += 1) {
    const volume = volumeIdSchema.parse(`more-${i}`);
    lifecycle.addVolume(state, { volume, splitter: S1, sizeMiB: 1, group: G1, dryRun: false }, NOW);
  }
  const reasons = reasonsOf(() => retireSplitter(state));
  expect(reasons).toHaveLength(21);
  expect(() => retireSplitter(state)).toThrow(/and 12 more volumes\.$/);
});

const withGroups = (...groups: Estate['groups'][number][]): Estate => ({ ...ESTATE, groups });
const [GOLD, SILVER] = ESTATE.groups;
if (GOLD === undefined || SILVER === undefined) throw new Error('The estate has two groups.');

test('a start with the file of before gives no group back to the appliance that was drained and retired', () => {
  const state = siteOf(withGroups(GOLD, SILVER));
  lifecycle.setGroup(state, { group: G2, appliance: A2, dryRun: false }, NOW);
  state.volumes.put(V1, { ...state.volume(V1), group: G2 });
  state.volumes.put(V2, { ...state.volume(V2), group: G2 });
  lifecycle.setGroup(state, { group: G1, appliance: A2, dryRun: false }, NOW);
  retireAppliance(state);
  followEstate(state, ESTATE, 0);
  expect([state.group(G1).appliance, state.group(G2).appliance]).toEqual([A2, A2]);
  for (const volume of [V1, V2]) state.volumes.put(volume, { ...state.volume(volume), group: G1 });
  followEstate(state, ESTATE, 0);
  expect([state.group(G1).appliance, state.group(G2).appliance]).toEqual([A2, A2]);
  // Other settings of the file are followed; the appliance is what it has said all along.
  followEstate(state, withGroups({ ...GOLD, volumesMax: 9 }, { ...SILVER, volumesMax: 9 }), 0);
  expect(state.group(G1)).toMatchObject({ appliance: A2, volumesMax: 9 });
  expect(state.group(G2)).toMatchObject({ appliance: A2, volumesMax: 9 });
  expect(state.isRetired('appliance', A1)).toBe(true);
});

test('a group that owns volumes follows the appliance of a new file once it is empty', () => {
  const state = siteOf();
  const file = withGroups({ ...GOLD, appliance: A2 }, SILVER);
  followEstate(state, file, 0);
  expect(state.group(G1).appliance).toBe(A1);
  emptied(state);
  followEstate(state, file, 0);
  expect(state.group(G1).appliance).toBe(A2);
});

test('a retired appliance or splitter comes back with what a file newly gives to it', () => {
  const state = siteOf();
  retireAppliance(state, A2);
  retireSplitter(state, S2);
  followEstate(state, withGroups(GOLD, { ...SILVER, appliance: A2 }), 0);
  expect(state.isRetired('appliance', A2)).toBe(false);
  const volumes = [{ id: volumeIdSchema.parse('new'), sizeMiB: 1, group: G1 }];
  followEstate(state, { ...ESTATE, splitters: ESTATE.splitters.map((host) => ({ ...host, id: S2, volumes })) }, 0);
  expect(state.isRetired('splitter', S2)).toBe(false);
});
