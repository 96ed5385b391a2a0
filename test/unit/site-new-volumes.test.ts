// A volume that the estate file gains while the replica site runs is named until it is protected.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { EstateInput } from '../../contracts/estate.js';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import { NewVolumes } from '../../simulator/replica-site/new-volumes.js';
import { estateOf } from '../../control/estate-file.js';
import { SiteUnderTest, V1, V2 } from './site-core-fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'new-volumes-'));
const path = join(folder, 'estate.json');
afterAll(() => rmSync(folder, { recursive: true }));

const LISTEN = { port: 1 };

/** Writes a file with these volumes, whose group the rules find by their labels. */
function write(...ids: readonly string[]): string {
  const estate: EstateInput = {
    replicaSite: { control: LISTEN },
    appliances: [{ id: 'a1', control: LISTEN, nbd: LISTEN }],
    splitters: [
      {
        id: 's1',
        control: LISTEN,
        nbd: LISTEN,
        volumes: ids.map((id) => ({ id, sizeMiB: 1, labels: { tier: 'gold' } })),
      },
    ],
    groups: [{ id: 'g1', appliance: 'a1' }],
    protect: [{ match: { tier: 'gold' }, group: 'g1' }],
    worker: { health: LISTEN },
  };
  const text = JSON.stringify(estate);
  writeFileSync(path, text);
  return text;
}

test('a volume that the file has gained is named with its group, until it is protected', () => {
  const { state } = new SiteUnderTest();
  write(V1, V2);
  const added = new NewVolumes({ path, state, checkIntervalMs: 0 });
  expect(added.notes).toEqual([]);
  const text = write(V1, V2, 'v3');
  expect(added.notes).toEqual([
    'Volume "v3" of splitter "s1" is new in the estate file, and not protected: the file was changed since the replica site was started. To protect it in group "g1": volume-mover estate apply --yes',
  ]);
  followEstate(state, estateOf(path, text), 0);
  expect(added.notes).toEqual([]);
});

test('what the file named at the start and the site did not take is no news; a row that can not be read is there', () => {
  const site = new SiteUnderTest();
  site.restart({ table: 'volumes', key: V2 });
  write(V1, 'V1-disk', V2);
  const added = new NewVolumes({ path, state: site.state, checkIntervalMs: 0 });
  expect(added.notes).toEqual([]);
  write(V1, V2);
  expect(added.notes).toEqual([]);
});

test('of many new volumes some are named and the others counted', () => {
  const { state } = new SiteUnderTest();
  write(V1);
  const added = new NewVolumes({ path, state, checkIntervalMs: 0 });
  const ids = Array.from({ length: 20 }, (_, i) => `new-${i}`);
  write(...ids);
  expect(added.notes).toHaveLength(20);
  write(...ids, 'one-more');
  expect(added.notes.at(-1)).toBe('The estate file has 1 more volumes that are not protected.');
  expect(added.notes).toHaveLength(21);
});

test('a file that can not be used is told, and what it named before stays named', () => {
  const { state } = new SiteUnderTest();
  write(V1);
  const added = new NewVolumes({ path, state, checkIntervalMs: 0 });
  write(V1, 'v3');
  expect(added.notes).toHaveLength(1);
  writeFileSync(path, '{ "splitters": [');
  expect(added.notes).toEqual([
    expect.stringMatching(/^VOLUME_MOVER_ESTATE: the file .* cannot be used/),
    expect.stringMatching(/^Volume "v3"/),
  ]);
});
