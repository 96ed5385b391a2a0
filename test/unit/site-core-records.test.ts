// Whether a record counts: once, in order, of the present session and epoch only.
import { expect, test } from 'vitest';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import { siteVolume } from '../../simulator/replica-site/core/listings.js';
import { pageOfVolumes } from '../../simulator/replica-site/core/volume-listing.js';
import { EMPTY_SITE, SiteState } from '../../simulator/replica-site/core/state.js';
import { momentAt } from '../support/moment.js';
import { G1, G2, SiteUnderTest, V1, V2 } from './site-core-fixture.js';

test('a duplicate is confirmed again, a gap and another epoch are refused', () => {
  const site = new SiteUnderTest();
  expect(site.attach()).toBe('after 0');
  expect([site.write(1), site.write(1), site.write(3), site.write(2)]).toEqual([
    'append',
    'duplicate',
    'WRITE_GAP',
    'append',
  ]);
  expect(site.write(3, V1, 1, 2)).toBe('EPOCH_MISMATCH');
  expect(site.attach()).toBe('after 2');
});

test('a session must attach before its records, and ends every earlier one', () => {
  const site = new SiteUnderTest();
  site.attach();
  site.writes(1, 2);
  expect(site.write(1, V1, 2)).toBe('WRITE_GAP');
  expect(site.attach(V1, 2)).toBe('after 0');
  expect(site.write(3)).toBe('STALE_SESSION');
  expect(site.attach(V1, 1)).toBe('STALE_SESSION');
  expect(site.write(1, V1, 2)).toBe('append');
  expect(site.state.positionOf(site.state.volume(V1), { session: 2, n: 1 })).toBe(3);
});

test('after a restart the rules go on from what is durable', () => {
  const site = new SiteUnderTest();
  site.attach();
  site.writes(1, 4);
  const rows = site.state.changes();
  const of = (table: string) => rows.filter((row) => row.table === table).map((row) => [row.key, row.value] as never);
  const again = new SiteState({ ...EMPTY_SITE, groups: of('groups'), volumes: of('volumes') }, site.lineages);
  expect(again.acceptedN(again.volume(V1))).toBe(4);
});

test('stored ownership wins over the estate file, a group’s settings follow it', () => {
  const site = new SiteUnderTest();
  site.state.volumes.put(V1, { ...site.state.volume(V1), group: G2, epoch: 5 });
  followEstate(
    site.state,
    {
      splitters: [{ id: 's1', volumes: [{ id: V1, sizeMiB: 2, group: G1 }] }],
      groups: [{ id: G1, appliance: 'a1', volumesMax: 7, pointEveryMs: 123 }],
    } as never,
    0,
  );
  expect(site.state.volume(V1)).toMatchObject({ group: G2, epoch: 5, sizeBytes: 1024 * 1024 });
  expect(site.state.group(G1)).toMatchObject({ volumesMax: 7, pointEveryMs: 123 });
});

test('members are found by their present group', () => {
  const site = new SiteUnderTest();
  site.state.volumes.put(V1, { ...site.state.volume(V1), group: G2 });
  expect(site.state.membersOf(G1).map((row) => row.volume)).toEqual([V2]);
  const page = pageOfVolumes(site.state, { group: G2, limit: 10 });
  expect(page.items.map((row) => siteVolume(site.state, row, momentAt(0)))).toMatchObject([
    { volume: V1, group: G2, appliance: 'a1' },
  ]);
});
