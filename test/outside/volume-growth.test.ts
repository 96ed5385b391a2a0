// The size of a volume that grows, as nbdinfo sees it: the disk's at its next connection, and that
// of an earlier recovery point.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { type EstateFixture, startEstate } from '../integration/estate-fixture.js';
import { uriOf } from '../support/test-estate.js';
import { succeed } from '../support/tools.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';

const VOLUME = volumeIdSchema.parse('vm-1-disk-0');
const GOLD = groupIdSchema.parse('cg-gold');
const MIB = 1024 * 1024;
let fixture: EstateFixture;
let client: MoverClient;

beforeAll(async () => {
  fixture = await startEstate({ withWorker: false });
  client = createMoverClient({ estate: fixture.running.estate });
});
afterAll(async () => fixture.stop());

async function sizeInMiB(process: string, name: string): Promise<number> {
  const address = await nbdAddressOf(fixture.running.process(process));
  return Number(await succeed('nbdinfo', '--size', uriOf({ address, name }))) / MIB;
}

/** A new point that has the volume. */
async function point(): Promise<string> {
  let id = '';
  const close = async (): Promise<boolean> => {
    const closed = await client.points.close({ group: GOLD });
    id = closed.id;
    return closed.members.some(({ volume }) => volume === VOLUME);
  };
  await untilTrue('a point with the volume', PATIENCE_MS, close);
  return id;
}

test('nbdinfo has the new size at the next connection, and each point the size that it was closed with', async () => {
  const before = await point();
  expect(await sizeInMiB('host-1', VOLUME)).toBe(8);
  expect(await client.volumes.grow({ volume: VOLUME, sizeMiB: 12 })).toEqual({ changed: true });
  expect(await sizeInMiB('host-1', VOLUME)).toBe(12);
  const after = await point();
  await expect.poll(async () => sizeInMiB('appliance-1', `${VOLUME}@${after}`), { timeout: PATIENCE_MS }).toBe(12);
  expect(await sizeInMiB('appliance-1', `${VOLUME}@${before}`)).toBe(8);
});
