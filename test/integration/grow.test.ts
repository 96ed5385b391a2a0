// Volumes that grow while a guest writes: real processes, a real Temporal server and the command
// line. Ends and earlier points keep the size that they had.
import { rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { controlUrl } from '../../contracts/estate.js';
import { groupIdSchema, splitterIdSchema, type VolumeId, volumeIdSchema } from '../../contracts/ids.js';
import { replicaSiteApi } from '../../contracts/replica-site-api.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import { createApiClient } from '../../control/client.js';
import { compareExports, withExport } from '../../estate/compare.js';
import { type Guest, startGuest } from '../../estate/guest/guest.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { connectNbd } from '../../nbd/client.js';
import { openRowStore } from '../../simulator/store/row-store.js';
import { type Ran, runCommand } from '../support/cli.js';
import { PATIENCE_MS } from '../support/until.js';
import { type EstateFixture, startEstate } from './estate-fixture.js';

const HOST = splitterIdSchema.parse('host-1');
const SITE = 'replica-site';
const GOLD = groupIdSchema.parse('cg-gold');
/** Its guest writes all the while. */
const BUSY = volumeIdSchema.parse('vm-1-disk-0');
const IDLE = volumeIdSchema.parse('vm-1-disk-1');
const MIB = 1024 * 1024;
const WAIT = { timeout: PATIENCE_MS };

let fixture: EstateFixture;
let client: MoverClient;
let guest: Guest;

beforeAll(async () => {
  fixture = await startEstate({ withWorker: true });
  client = createMoverClient({ estate: fixture.running.estate, environment: {} });
  guest = await startGuest({ address: await host(), volume: BUSY, seed: 5, writesPerSecond: 100 });
});
afterAll(async () => {
  await guest.stop();
  await client.close();
  await fixture.stop();
});

const host = async () => nbdAddressOf(fixture.running.process(HOST));
const run = async (...words: string[]): Promise<Ran> =>
  runCommand({ VOLUME_MOVER_ESTATE: fixture.running.estateFile }, words);
const grow = async (volume: VolumeId, size: string, ...words: string[]): Promise<Ran> =>
  run('volume', 'grow', volume, '--size', size, ...words);
const splitter = () =>
  createApiClient(splitterApi, {
    baseUrl: controlUrl(fixture.running.estate.splitters[0]?.control ?? { host: '', port: 0 }),
  });
const site = () => createApiClient(replicaSiteApi, { baseUrl: controlUrl(fixture.running.estate.replicaSite.control) });

/** A text that fits, typed as the text itself. */
const matching = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

async function write(volume: VolumeId, offset: number, byte: number): Promise<void> {
  await withExport({ address: await host(), name: volume }, async (disk) =>
    disk.write(offset, Buffer.alloc(4_096, byte)),
  );
}

async function expectSame(volume: VolumeId, appliance: string): Promise<void> {
  await waitUntilQuiet(client, { volume, timeoutMs: PATIENCE_MS });
  const replica = { address: await nbdAddressOf(fixture.running.process(appliance)), name: `${volume}@latest` };
  expect(await compareExports({ address: await host(), name: volume }, replica)).toMatchObject({ differentBytes: 0 });
}

/** A new point of the group that has the volume. */
async function pointWith(volume: VolumeId): Promise<string> {
  let id = '';
  const close = async (): Promise<boolean> => {
    const point = await client.points.close({ group: GOLD });
    id = point.id;
    return point.members.some((member) => member.volume === volume);
  };
  await expect.poll(close, WAIT).toBe(true);
  return id;
}

/** The size of a point's image in MiB, and a byte of it. */
async function imageOf(volume: VolumeId, point: string, offset: number): Promise<readonly number[]> {
  const disk = await connectNbd(await nbdAddressOf(fixture.running.process('appliance-1')), `${volume}@${point}`);
  try {
    return [disk.sizeBytes / MIB, (await disk.read(offset, 1))[0] ?? 0];
  } finally {
    await disk.disconnect();
  }
}

const sizeOf = async (volume: VolumeId): Promise<number> =>
  ((await site().volumes({ volume })).volumes[0]?.sizeBytes ?? 0) / MIB;

test('a volume grows under its guest; the next connection has the new size, and an earlier point the one it had', async () => {
  await write(IDLE, MIB, 1);
  const before = await pointWith(IDLE);
  const connected = await connectNbd(await host(), IDLE);
  const dry = await grow(IDLE, '12MiB', '--dry-run');
  expect(dry).toMatchObject({ exitCode: 0, stdout: matching(/can be made 12 MiB large/) });
  expect(await grow(IDLE, '12MiB')).toMatchObject({ exitCode: 0, stdout: matching(/has 12 MiB\. Guests see/) });
  expect(await grow(IDLE, '12MiB')).toMatchObject({ exitCode: 0, stdout: matching(/Nothing to do/) });
  expect(connected.sizeBytes).toBe(8 * MIB);
  await connected.write(MIB, Buffer.alloc(4_096, 2));
  await connected.disconnect();
  const larger = await connectNbd(await host(), IDLE);
  expect(larger.sizeBytes).toBe(12 * MIB);
  await larger.write(11 * MIB, Buffer.alloc(4_096, 3));
  await larger.disconnect();
  await expectSame(IDLE, 'appliance-1');
  const after = await pointWith(IDLE);
  expect(await imageOf(IDLE, before, MIB)).toEqual([8, 1]);
  expect(await imageOf(IDLE, after, MIB)).toEqual([12, 2]);
  expect(await imageOf(IDLE, after, 11 * MIB)).toEqual([12, 3]);
  expect(await sizeOf(IDLE)).toBe(12);

  expect(await grow(BUSY, '16MiB')).toMatchObject({ exitCode: 0 });
  expect(await imageOf(BUSY, before, 0)).toMatchObject([8, expect.anything()]);
  expect(await run('verify', BUSY)).toMatchObject({ exitCode: 0, stdout: matching(/16 MiB/) });
  // Over restarts of both ends, too.
  for (const id of [SITE, HOST]) await fixture.running.process(id).restart('SIGKILL');
  await expectSame(IDLE, 'appliance-1');
  await expect.poll(async () => imageOf(IDLE, before, MIB), WAIT).toEqual([8, 1]);
});

test('a volume is never made smaller, and a size in MB is not taken for one in MiB', async () => {
  const refused = await grow(IDLE, '8MiB');
  expect(refused).toMatchObject({ exitCode: 3 });
  expect(refused.stderr).toContain('has 12 MiB at the replica site, and cannot be made smaller (SHRINKING)');
  expect(refused.stderr).toContain('has 12 MiB at its splitter, and cannot be made smaller (SHRINKING)');
  expect(await grow(IDLE, '20MB')).toMatchObject({ exitCode: 2 });
  expect(await sizeOf(IDLE)).toBe(12);
});

test('a growth that kill -9 ended between the ends, or between the splitter’s row and its files, is finished', async () => {
  expect(await site().growVolume({ volume: IDLE, sizeMiB: 16 })).toEqual({ changed: true });
  for (const id of [SITE, HOST]) await fixture.running.process(id).restart('SIGKILL');
  await expectSame(IDLE, 'appliance-1');
  expect([await sizeOf(IDLE), (await pointWith(IDLE)).length > 0]).toEqual([12, true]);
  expect(await grow(IDLE, '16MiB')).toMatchObject({ exitCode: 0, stdout: matching(/has 16 MiB/) });
  await write(IDLE, 15 * MIB, 4);
  await expectSame(IDLE, 'appliance-1');

  // The row is stored, and the splitter dies: both files have their former sizes.
  await site().growVolume({ volume: IDLE, sizeMiB: 300 });
  const { dataFolder } = fixture.running.process(HOST).spec;
  await fixture.running.process(HOST).kill();
  const store = openRowStore({ directory: join(dataFolder, 'store'), tables: ['volumes', 'meta'] });
  const row = new Map(store.rows('volumes')).get(IDLE) as { readonly sizeBytes: number };
  const grown = { ...row, sizeBytes: 300 * MIB, formerBytes: row.sizeBytes };
  store.commit([{ table: 'volumes', key: IDLE, value: grown }]);
  await store.close();
  await fixture.running.process(HOST).start();
  await expectSame(IDLE, 'appliance-1');
  expect((await splitter().health({})).notes.filter((note) => note.includes('bitmap'))).toEqual([]);
  await expect.poll(async () => sizeOf(IDLE), WAIT).toBe(300);
  await write(IDLE, 299 * MIB, 5);
  expect(await grow(IDLE, '300MiB')).toMatchObject({ exitCode: 0, stdout: matching(/Nothing to do/) });
  await expectSame(IDLE, 'appliance-1');
});

test('a site whose folder was put back to before the growth takes the size over from the disk', async () => {
  const { dataFolder } = fixture.running.process(SITE).spec;
  await fixture.running.process(SITE).kill();
  const store = openRowStore({ directory: join(dataFolder, 'rows'), tables: ['volumes'] });
  const { sizes: _sizes, ...row } = new Map(store.rows('volumes')).get(IDLE) as { readonly sizes?: unknown };
  store.commit([{ table: 'volumes', key: IDLE, value: { ...row, sizeBytes: 8 * MIB } }]);
  await store.close();
  rmSync(join(dataFolder, 'volumes', IDLE), { recursive: true });
  await fixture.running.process(SITE).start();
  await expect.poll(async () => sizeOf(IDLE), WAIT).toBe(300);
  await expectSame(IDLE, 'appliance-1');
});

test('a grown volume moves, and is the same as its replica after it', async () => {
  const moved = await run('move', BUSY, '--to', 'cg-silver');
  expect(moved).toMatchObject({ exitCode: 0 });
  expect(await run('verify', BUSY)).toMatchObject({ exitCode: 0, stdout: matching(/are the same/) });
  expect(await grow(BUSY, '20MiB')).toMatchObject({ exitCode: 0 });
  expect(await run('verify', BUSY)).toMatchObject({ exitCode: 0, stdout: matching(/20 MiB/) });
});

test('a source that is smaller than its row, and not of the former size, is left out by itself', async () => {
  const { dataFolder } = fixture.running.process(HOST).spec;
  await fixture.running.process(HOST).kill();
  truncateSync(join(dataFolder, 'volumes', `${IDLE}.img`), 5 * MIB);
  await fixture.running.process(HOST).start();
  const { unusable } = await splitter().inventory({});
  expect(unusable).toMatchObject([{ volume: IDLE, reason: matching(/has 5242880 bytes instead of/) }]);
});
