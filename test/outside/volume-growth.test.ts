// The size of a volume that grows, as nbdinfo sees it: the disk's at its next connection, and that
// of an earlier recovery point.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { type EstateFixture, startEstate } from '../integration/estate-fixture.js';

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
  const uri =
    'path' in address ? `nbd+unix:///${name}?socket=${address.path}` : `nbd://${address.host}:${address.port}/${name}`;
  const { stdout } = await promisify(execFile)('nbdinfo', ['--size', uri]);
  return Number(stdout) / MIB;
}

/** A new point that has the volume. */
async function point(): Promise<string> {
  let id = '';
  const close = async (): Promise<boolean> => {
    const closed = await client.points.close({ group: GOLD });
    id = closed.id;
    return closed.members.some(({ volume }) => volume === VOLUME);
  };
  await expect.poll(close, { timeout: 30_000 }).toBe(true);
  return id;
}

test('nbdinfo has the new size at the next connection, and each point the size that it was closed with', async () => {
  const before = await point();
  expect(await sizeInMiB('host-1', VOLUME)).toBe(8);
  expect(await client.volumes.grow({ volume: VOLUME, sizeMiB: 12 })).toEqual({ changed: true });
  expect(await sizeInMiB('host-1', VOLUME)).toBe(12);
  const after = await point();
  await expect.poll(async () => sizeInMiB('appliance-1', `${VOLUME}@${after}`), { timeout: 30_000 }).toBe(12);
  expect(await sizeInMiB('appliance-1', `${VOLUME}@${before}`)).toBe(8);
});
