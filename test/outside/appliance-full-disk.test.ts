// An appliance on a full disk, real processes and a real file system: only clients that write into
// a scratch notice, the process starts, and room alone heals it.
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { applianceApi } from '../../contracts/appliance-api.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import type { Calls } from '../../contracts/route.js';
import { createApiClient } from '../../control/client.js';
import { compareExports } from '../../estate/compare.js';
import { type Guest, startGuest } from '../../estate/guest/guest.js';
import { connectNbd } from '../../nbd/client.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { createNamespace } from '../support/namespace.js';
import { SmallDisk } from '../support/small-disk.js';
import { estateOf, TestEstate } from '../support/test-estate.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';

const KIB = 1024;
const BLOCK = 4 * KIB;
const DISK_KIB = 8 * KIB;
const SIZE_MIB = 8;
const WRITES_PER_SECOND = 40;
const APPLIANCE = 'appliance-1';
const GOLD = groupIdSchema.parse('cg-gold');
const ONE = volumeIdSchema.parse('one');

let mountPoint: string;
let disk: SmallDisk;
let estate: TestEstate;
let appliance: Calls<typeof applianceApi>;
let guest: Guest;
const clients: NbdClient[] = [];

beforeEach(async () => {
  mountPoint = mkdtempSync(join(tmpdir(), 'vm-small-disk-'));
  disk = SmallDisk.mount(mountPoint, DISK_KIB);
  const address = inject('temporalAddress');
  estate = await TestEstate.start({
    estate: estateOf({ groups: { [GOLD]: { appliance: APPLIANCE, volumes: [ONE, 'two'] } }, sizeMiB: SIZE_MIB }),
    temporal: { address, namespace: await createNamespace(address) },
    prepare: (folder) => symlinkSync(mountPoint, join(folder, APPLIANCE)),
  });
  const [first] = estate.running.estate.appliances;
  if (first === undefined) throw new Error('an estate without an appliance');
  const { host, port } = first.control;
  appliance = createApiClient(applianceApi, { baseUrl: `http://${host}:${port}` });
  const { address: at } = await estate.source(ONE);
  guest = await startGuest({ address: at, volume: ONE, seed: 1, writesPerSecond: WRITES_PER_SECOND });
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.disconnect().catch(() => undefined);
  await guest.abandon();
  await estate.stop();
  disk.unmount();
  rmSync(mountPoint, { recursive: true, force: true });
});

async function connect(name: string): Promise<NbdClient> {
  const client = await connectNbd((await estate.image(ONE)).address, name);
  clients.push(client);
  return client;
}

async function open(
  writable: boolean,
): Promise<{ readonly access: string; readonly name: string; readonly client: NbdClient }> {
  const input = { group: GOLD, writable, client: 'test', forMs: 3_600_000 };
  const { id, exports } = await appliance.openAccess(input);
  const name = exports.find(({ volume }) => volume === ONE)?.name ?? '';
  return { access: id, name, client: await connect(name) };
}

const notes = async (): Promise<string> => (await appliance.health({})).notes.join('\n');
const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : error);
const points = async () => (await appliance.listPoints({ group: GOLD })).points;
const untilPoints = async (what: string) => {
  const before = (await points()).at(-1)?.id;
  await untilTrue(what, PATIENCE_MS, async () => (await points()).at(-1)?.id !== before);
};
/** Fills the scratch until the disk takes no more. */
async function untilRefused(client: NbdClient): Promise<unknown> {
  for (let at = 0; at < SIZE_MIB * KIB * KIB; at += BLOCK) {
    const refused = await client.write(at, Buffer.alloc(BLOCK, 7)).then(() => undefined, codeOf);
    if (refused !== undefined) return refused;
  }
  return 'not refused';
}

test('a full disk is ENOSPC for the client of a scratch alone; a start changes nothing; room heals it', async () => {
  await untilPoints('points');
  const writable = await open(true);
  const readOnly = await open(false);
  const before = await readOnly.client.read(0, BLOCK);
  await writable.client.write(0, Buffer.alloc(BLOCK, 9));
  disk.fill();

  expect(await untilRefused(writable.client)).toBe('ENOSPC');
  // The fill may have overwritten the block before the disk was full.
  expect([7, 9]).toContain((await writable.client.read(0, BLOCK))[0]);
  expect((await readOnly.client.read(0, BLOCK)).equals(before)).toBe(true);
  expect(await notes()).toMatch(
    new RegExp(
      `The disk of .*/${APPLIANCE}/scratch is full since \\d{4}-.*Z: [\\d.]+ MiB are free, at least 1\\.0 MiB are needed\\. Writes to image access ${writable.access} are refused`,
    ),
  );
  // The store may have room of its own for it: either way the answer is what is so, now and after a
  // start.
  const paused = await appliance.pauseGroup({ group: GOLD }).then(() => 'paused', codeOf);
  expect(['paused', 'STORAGE_FULL']).toContain(paused);
  const pausedGroups = paused === 'paused' ? [GOLD] : [];
  expect((await appliance.describe({})).pausedGroups).toEqual(pausedGroups);
  if (paused === 'paused') await appliance.resumeGroup({ group: GOLD });
  await untilPoints('points while the disk is full');
  await appliance.closeAccess({ access: writable.access });

  disk.fill();

  await estate.process(APPLIANCE).restart('SIGKILL');
  await untilPoints('points after a start on the full disk');
  const goesOn = await connect(readOnly.name);
  expect((await goesOn.read(0, BLOCK)).equals(before)).toBe(true);

  disk.empty();
  const healed = await open(true);
  await healed.client.write(0, Buffer.alloc(BLOCK, 9));
  await appliance.pauseGroup({ group: GOLD });
  await appliance.resumeGroup({ group: GOLD });
  await untilTrue('health is quiet', PATIENCE_MS, async () => (await notes()) === '');
  await guest.stop();
  expect(guest.reconnections).toBe(0);
  await estate.quiet(ONE);
  expect(await compareExports(await estate.source(ONE), await estate.image(ONE))).toMatchObject({ differentBytes: 0 });
});
