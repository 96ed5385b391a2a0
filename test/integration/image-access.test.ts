// Image access on a real appliance and a real replica site: what is written to it, who shares it,
// when it ends, and what outlives whom.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { GroupId, PointId, VolumeId } from '../../contracts/ids.js';
import { accessIdSchema, type Access } from '../../contracts/images.js';
import { connectNbd, listNbdExports } from '../../nbd/client.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { FakeSplitterControl } from '../support/fake-splitter-control.js';
import {
  G1,
  refusal,
  type RunningAppliance,
  S1,
  S2,
  SiteWorld,
  SIZE_BYTES,
  until,
  V1,
  V2,
  V3,
} from './replica-site-fixture.js';
import { block, TestSplitter, VolumeModel } from './test-splitter.js';

const BLOCK_BYTES = 4096;
const BLOCKS = SIZE_BYTES / BLOCK_BYTES;
const CLIENT = 'a test';

let world: SiteWorld;
let connections: NbdClient[];

beforeEach(() => {
  world = new SiteWorld();
  connections = [];
});
afterEach(async () => {
  await Promise.all(connections.map(async (connection) => connection.disconnect()));
  await world.stop();
});

/** How the writes of one volume get out. */
interface Host {
  readonly control: FakeSplitterControl;
  readonly stream: TestSplitter;
  readonly handle: number;
}

/** The guest of all three volumes: writes, and knows what it wrote. */
class Guest {
  readonly #hosts: ReadonlyMap<VolumeId, Host>;
  readonly models = new Map<VolumeId, VolumeModel>([V1, V2, V3].map((volume) => [volume, new VolumeModel()]));

  private constructor(hosts: ReadonlyMap<VolumeId, Host>) {
    this.#hosts = hosts;
  }

  static async attach(appliance: { readonly url: string }): Promise<Guest> {
    const hosts = new Map<VolumeId, Host>();
    for (const [splitter, volumes] of [
      [S1, [V1, V2]],
      [S2, [V3]],
    ] as const) {
      const control = await new FakeSplitterControl(splitter).start();
      world.onStop(async () => control.stop());
      const stream = await TestSplitter.connect(appliance.url, splitter, control.url);
      for (const [i, volume] of volumes.entries()) {
        expect(await stream.attach(i + 1, volume)).toMatchObject({ type: 'attached' });
        control.members.set(volume, { group: G1, n: 0 });
        hosts.set(volume, { control, stream, handle: i + 1 });
      }
    }
    return new Guest(hosts);
  }

  model(volume: VolumeId): VolumeModel {
    const model = this.models.get(volume);
    if (model === undefined) throw new Error(`no model of ${volume}`);
    return model;
  }

  /**
   * Writes blocks of this content, one after the other, and waits until they are at the replica
   * site.
   */
  async write(volume: VolumeId, content: number, count = 8, from = 0): Promise<void> {
    const host = this.#hosts.get(volume);
    if (host === undefined) throw new Error(`no host of ${volume}`);
    const { records } = this.model(volume);
    for (let i = 0; i < count; i += 1) {
      const record = { offset: ((from + i) % BLOCKS) * BLOCK_BYTES, data: block(content) };
      records.push(record);
      host.stream.write(host.handle, records.length, record.offset, record.data);
    }
    host.control.members.set(volume, { group: G1, n: records.length });
    await host.stream.confirmed(host.handle, records.length);
  }

  /** What the volume had at a count of writes; now if none is given. */
  at(volume: VolumeId, n = this.model(volume).records.length): Buffer {
    return this.model(volume).at(n);
  }
}

async function connect({ nbd }: RunningAppliance, name: string): Promise<NbdClient> {
  const client = await connectNbd(nbd, name);
  connections.push(client);
  return client;
}

const whole = async (client: NbdClient): Promise<Buffer> => client.read(0, SIZE_BYTES);

function exportOf(access: Access, volume: VolumeId): string {
  const found = access.exports.find((each) => each.volume === volume);
  if (found === undefined) throw new Error(`no export of ${volume}`);
  return found.name;
}

async function accessNow(appliance: Pick<RunningAppliance, 'control'>, id: string): Promise<Access> {
  const { accesses } = await appliance.control.listAccesses({});
  const found = accesses.find((access) => access.id === id);
  if (found === undefined) throw new Error(`no access ${id}`);
  return found;
}

interface Testbed {
  readonly appliance: RunningAppliance;
  readonly guest: Guest;
  /** Taken after the first writes to every volume. */
  readonly point: PointId;
}

async function testbed(limits: Parameters<SiteWorld['appliance']>[1] = {}, group: GroupId = G1): Promise<Testbed> {
  const appliance = await world.appliance('a1', limits);
  const guest = await Guest.attach(appliance);
  for (const volume of [V1, V2, V3]) await guest.write(volume, 1);
  const point = await appliance.control.closePoint({ group });
  expect(point.leftOut).toEqual([]);
  return { appliance, guest, point: point.id };
}

test('what is written to a group’s access is seen on all its connections, is gone when it closes, and never reaches the replica', async () => {
  await world.site();
  const { appliance, guest, point } = await testbed();
  const access = await appliance.control.openAccess({
    group: G1,
    point,
    writable: true,
    client: CLIENT,
    reason: 'test',
  });
  expect(access).toMatchObject({ group: G1, point, writable: true, client: CLIENT, reason: 'test', leftOut: [] });
  expect(access.exports.map(({ volume }) => volume)).toEqual([V1, V2, V3]);
  expect(access.exports.map(({ name }) => name)).toEqual([V1, V2, V3].map((volume) => `access-${access.id}/${volume}`));
  expect(await listNbdExports(appliance.nbd)).toEqual(expect.arrayContaining(access.exports.map(({ name }) => name)));

  const first = await connect(appliance, exportOf(access, V1));
  await first.write(BLOCK_BYTES - 10, Buffer.alloc(20, 0xaa));
  await first.zeroes(4 * BLOCK_BYTES, BLOCK_BYTES + 5);
  await first.flush();
  // The guest goes on, and its writes are not in the access.
  for (const volume of [V1, V2, V3]) await guest.write(volume, 2);
  const expected = guest.at(V1, 8);
  expected.fill(0xaa, BLOCK_BYTES - 10, BLOCK_BYTES + 10);
  expected.fill(0, 4 * BLOCK_BYTES, 5 * BLOCK_BYTES + 5);
  const second = await connect(appliance, exportOf(access, V1));
  expect((await whole(second)).equals(expected)).toBe(true);
  expect((await whole(await connect(appliance, exportOf(access, V3)))).equals(guest.at(V3, 8))).toBe(true);
  const open = await accessNow(appliance, access.id);
  expect(open.exports.map((each) => each.connections)).toEqual([2, 0, 1]);
  expect(open.exports.map((each) => each.writtenBytes)).toEqual([20, 0, 0]);
  expect(open.scratch?.bytes).toBe(3 * BLOCK_BYTES);
  expect(readdirSync(join(world.folder, 'a1', 'scratch'))).toHaveLength(1);

  const closed = await appliance.control.closeAccess({ access: access.id, client: 'the test' });
  expect(closed).toMatchObject({ ended: { why: 'closed', by: 'the test' }, scratch: { bytes: 0 } });
  await Promise.all([first.closed, second.closed]);
  expect(await appliance.control.closeAccess({ access: access.id })).toEqual(closed);
  expect(readdirSync(join(world.folder, 'a1', 'scratch'))).toEqual([]);
  await expect(connectNbd(appliance.nbd, exportOf(access, V1))).rejects.toThrow(/no such export/);

  const again = await appliance.control.openAccess({ group: G1, point, writable: true, client: CLIENT });
  expect((await whole(await connect(appliance, exportOf(again, V1)))).equals(guest.at(V1, 8))).toBe(true);
  for (const volume of [V1, V2, V3]) {
    const now = await appliance.control.closePoint({ group: G1 });
    const live = await connect(appliance, `${volume}@${now.id}`);
    expect((await whole(live)).equals(guest.at(volume))).toBe(true);
  }
});

test('a "+rw" export has a scratch for each connection, and its image without it stays read-only', async () => {
  await world.site();
  const { appliance, guest, point } = await testbed();
  const first = await connect(appliance, `${V1}@${point}+rw`);
  const second = await connect(appliance, `${V1}@${point}+rw`);
  await first.write(0, block(9));
  expect((await first.read(0, BLOCK_BYTES)).equals(block(9))).toBe(true);
  expect((await whole(second)).equals(guest.at(V1))).toBe(true);
  await first.disconnect();
  await until(() => readdirSync(join(world.folder, 'a1', 'scratch')).length === 0, 'the scratch is gone');
  const readOnly = await connect(appliance, `${V1}@${point}`);
  await expect(readOnly.write(0, block(9))).rejects.toMatchObject({ code: 'EPERM' });
});

test('a restart of the replica site does not show in an open image: it goes on at its position, though the guest wrote meanwhile', async () => {
  let site = await world.site();
  const { appliance, guest, point } = await testbed();
  const access = await appliance.control.openAccess({ group: G1, point, client: CLIENT });
  const held = await connect(appliance, exportOf(access, V1));
  const single = await connect(appliance, `${V2}@${point}`);
  const newest = await connect(appliance, `${V3}@latest`);
  const before = await whole(newest);
  await guest.write(V3, 7);
  await site.stop();
  // Asked while nobody is there: answered when the site is back.
  const reads = [whole(held), whole(single), whole(newest)];
  site = await world.site();
  const [v1, v2, v3] = await Promise.all(reads);
  expect(v1?.equals(guest.at(V1, 8))).toBe(true);
  expect(v2?.equals(guest.at(V2, 8))).toBe(true);
  expect(v3?.equals(before)).toBe(true);
});

test('a replica site that stays away makes a read fail after a while, not wait for ever', async () => {
  const site = await world.site();
  const { appliance, point } = await testbed({ siteAwayMsMax: 300 });
  const image = await connect(appliance, `${V1}@${point}`);
  await site.stop();
  await expect(whole(image)).rejects.toMatchObject({ code: 'EIO' });
  await world.site();
  expect(await whole(image)).toHaveLength(SIZE_BYTES);
});

test('after a restart of the appliance a read-only access is open under its names, a writable one has ended', async () => {
  await world.site();
  const { appliance, guest, point } = await testbed();
  const readOnly = await appliance.control.openAccess({ group: G1, point, client: CLIENT });
  const writable = await appliance.control.openAccess({ volume: V1, point, writable: true, client: CLIENT });
  await (await connect(appliance, exportOf(writable, V1))).write(0, block(9));
  await guest.write(V1, 2);
  await appliance.stop();
  const next = await world.appliance('a1');
  expect(await accessNow(next, writable.id)).toMatchObject({ ended: { why: 'restart' }, scratch: { bytes: 0 } });
  expect(await accessNow(next, readOnly.id)).toMatchObject({ point, limit: { why: 'idle' } });
  expect((await whole(await connect(next, exportOf(readOnly, V1)))).equals(guest.at(V1, 8))).toBe(true);
  await expect(connectNbd(next.nbd, exportOf(writable, V1))).rejects.toThrow(/no such export/);
});

test('an appliance that is killed leaves no scratch behind, and the next one ends what was writable', async () => {
  await world.site();
  const killed = await world.applianceProcess('a1');
  const guest = await Guest.attach(killed);
  for (const volume of [V1, V2, V3]) await guest.write(volume, 1);
  const { id: point } = await killed.control.closePoint({ group: G1 });
  const access = await killed.control.openAccess({ volume: V1, point, writable: true, client: CLIENT });
  const { nbd } = await killed.control.describe({});
  const client = await connectNbd(nbd, exportOf(access, V1));
  await client.write(0, block(9));
  expect(readdirSync(join(world.folder, 'a1', 'scratch'))).toHaveLength(1);
  await killed.kill();
  await client.closed;
  const next = await world.appliance('a1');
  expect(readdirSync(join(world.folder, 'a1', 'scratch'))).toEqual([]);
  expect(await accessNow(next, access.id)).toMatchObject({ ended: { why: 'restart' } });
});

test('an access that nobody is connected to is warned about and closed; a connection keeps it open', async () => {
  await world.site();
  const { appliance, point } = await testbed({ accessIdleMsMax: 4_000, accessCheckEveryMs: 20 });
  const used = await appliance.control.openAccess({ volume: V1, point, client: CLIENT });
  await connect(appliance, exportOf(used, V1));
  const idle = await appliance.control.openAccess({ volume: V2, point, client: CLIENT });
  await until(async () => (await accessNow(appliance, idle.id)).warnings.length > 0, 'a warning');
  const { notes } = await appliance.control.health({});
  expect(notes).toEqual([expect.stringContaining(`Image access ${idle.id} of ${CLIENT} will be closed at`)]);
  await until(async () => (await accessNow(appliance, idle.id)).ended !== undefined, 'the idle access is closed');
  expect((await accessNow(appliance, idle.id)).ended?.why).toBe('idle');
  expect(await accessNow(appliance, used.id)).toMatchObject({ limit: { why: 'age' }, warnings: [] });
});

test('an access whose time is up is closed under its clients', async () => {
  await world.site();
  const { appliance, point } = await testbed({ accessCheckEveryMs: 20 });
  const access = await appliance.control.openAccess({ group: G1, point, writable: true, client: CLIENT, forMs: 3_000 });
  const client = await connect(appliance, exportOf(access, V1));
  await client.write(0, block(9));
  await client.closed;
  await until(async () => (await accessNow(appliance, access.id)).ended !== undefined, 'it has ended');
  expect((await accessNow(appliance, access.id)).ended?.why).toBe('age');
});

test('a group is opened whole or not at all', async () => {
  const site = await world.site({ openImagesMax: 2 });
  const { appliance, point } = await testbed();
  expect(await refusal(appliance.control.openAccess({ group: G1, point, client: CLIENT }))).toBe('IMAGE_LIMIT');
  expect((await appliance.control.listAccesses({})).accesses).toEqual([]);
  const images = [V1, V2].map(async (volume) => site.control.openImage({ volume, point, client: CLIENT }));
  expect(await Promise.all(images)).toHaveLength(2);
});

test('a full scratch is told as ENOSPC, and what fits goes on', async () => {
  await world.site();
  const { appliance, point } = await testbed({ scratchBytesMax: 3 * BLOCK_BYTES });
  const access = await appliance.control.openAccess({ group: G1, point, writable: true, client: CLIENT });
  const first = await connect(appliance, exportOf(access, V1));
  const second = await connect(appliance, exportOf(access, V2));
  await first.write(0, block(9, 2 * BLOCK_BYTES));
  await second.write(0, block(9));
  await expect(second.write(BLOCK_BYTES, block(9))).rejects.toMatchObject({ code: 'ENOSPC' });
  await first.write(100, block(8, 100));
  expect((await accessNow(appliance, access.id)).warnings).toEqual([expect.stringContaining('The scratch of')]);
});

test('opening may be repeated under an id of one’s own, for the same thing only', async () => {
  await world.site();
  const { appliance, point } = await testbed();
  const access = accessIdSchema.parse('drill-7');
  const input = { access, group: G1, point, client: CLIENT };
  const [first, second] = await Promise.all([appliance.control.openAccess(input), appliance.control.openAccess(input)]);
  expect(second).toEqual(first);
  expect(await appliance.control.openAccess(input)).toEqual(first);
  expect(await refusal(appliance.control.openAccess({ ...input, writable: true }))).toBe('ACCESS_MISMATCH');
  await appliance.control.closeAccess({ access });
  expect(await refusal(appliance.control.openAccess(input))).toBe('ACCESS_MISMATCH');
  const unknown = accessIdSchema.parse('none');
  expect(await refusal(appliance.control.closeAccess({ access: unknown }))).toBe('ACCESS_NOT_FOUND');
});

test('bad input is refused with the name of the field', async () => {
  await world.site();
  const { appliance, point } = await testbed();
  const { openAccess } = appliance.control;
  await expect(openAccess({ client: CLIENT })).rejects.toThrow(/group: give either "group" or "volume"/);
  await expect(openAccess({ group: G1, volume: V1, client: CLIENT })).rejects.toThrow(/volume: .*not both/);
  await expect(openAccess({ group: G1, point, atMs: 1, client: CLIENT })).rejects.toThrow(/atMs: .*not both/);
  await expect(openAccess({ group: G1, client: CLIENT, forMs: 8 * 24 * 3_600_000 })).rejects.toThrow(/forMs/);
  await expect(openAccess({ group: G1, client: '' })).rejects.toThrow(/client/);
  expect(await refusal(openAccess({ group: G1, atMs: 1, client: CLIENT }))).toBe('POINT_NOT_FOUND');
});

test('distribution goes on to the end while an image is open and read, and the image stays as it was', async () => {
  const site = await world.site();
  const { appliance, guest, point } = await testbed();
  const access = await appliance.control.openAccess({ volume: V1, point, client: CLIENT });
  const image = await connect(appliance, exportOf(access, V1));
  const expected = guest.at(V1, 8);
  const enough = new AbortController();
  let reads = 0;
  const reader = (async () => {
    while (!enough.signal.aborted) {
      expect((await whole(image)).equals(expected)).toBe(true);
      reads += 1;
    }
  })();
  const rounds = 20;
  const total = 8 + rounds * BLOCKS;
  for (let round = 0; round < rounds; round += 1) await guest.write(V1, round + 2, BLOCKS);
  await until(
    async () => (await site.control.volumes({ volume: V1 })).volumes[0]?.appliedPosition === total,
    'applied',
  );
  expect((await site.control.volumes({ volume: V1 })).volumes[0]?.undistributedBytes).toBe(0);
  enough.abort();
  await reader;
  expect(reads).toBeGreaterThan(0);
  expect((await whole(image)).equals(expected)).toBe(true);
});

test('the replica site closes the oldest image when images take too much, and its access ends and says why', async () => {
  const site = await world.site({ imagesRangesMax: 12, imageCheckEveryMs: 20 });
  const { appliance, guest, point } = await testbed({ keepImagesEveryMs: 20 });
  const oldest = await appliance.control.openAccess({ volume: V1, point, client: CLIENT });
  const client = await connect(appliance, exportOf(oldest, V1));
  const newer = await appliance.control.openAccess({ volume: V2, point, client: CLIENT });
  await guest.write(V1, 2, 10);
  await until(async () => (await site.control.health({})).notes.length > 0, 'a warning at the replica site');
  expect(await accessNow(appliance, oldest.id)).not.toHaveProperty('ended');
  await guest.write(V2, 2, 10);
  await client.closed;
  await until(async () => (await accessNow(appliance, oldest.id)).ended !== undefined, 'the access has ended');
  expect((await accessNow(appliance, oldest.id)).ended).toMatchObject({ why: 'history' });
  expect(await accessNow(appliance, newer.id)).not.toHaveProperty('ended');
  expect((await site.control.volumes({ volume: V1 })).volumes[0]?.durable.n).toBe(18);
});

test('an access that nobody reads stays open at the replica site, also past its restart and its own idle limit', async () => {
  let site = await world.site({ openImagesMax: 1, imageIdleMsMax: 400, imageCheckEveryMs: 20 });
  const { appliance, point } = await testbed({ keepImagesEveryMs: 20 });
  const another = async (): Promise<string> =>
    site.control.openImage({ volume: V2, point, client: CLIENT }).then(
      async ({ image }) => {
        await site.control.closeImage({ image });
        return 'opened';
      },
      (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
    );
  const { id: access } = await appliance.control.openAccess({ volume: V1, point, client: CLIENT });
  const openedAtMs = performance.now();
  await until(() => performance.now() - openedAtMs > 800, 'twice the idle limit has passed');
  expect(await another()).toBe('IMAGE_LIMIT');
  await site.stop();
  site = await world.site({ openImagesMax: 1, imageIdleMsMax: 400, imageCheckEveryMs: 20 });
  await until(async () => (await another()) === 'IMAGE_LIMIT', 'the image is open again');
  await appliance.control.closeAccess({ access });
  expect(await another()).toBe('opened');
});
