// What a client learns of a recovery point's blocks: holes, and what differs from an earlier point.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PointId } from '../../contracts/ids.js';
import { connectNbd } from '../../nbd/client.js';
import { Allocation, BASE_ALLOCATION } from '../../nbd/meta-context.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { FakeSplitterControl } from '../support/fake-splitter-control.js';
import { G1, type RunningAppliance, S1, SiteWorld, SIZE_BYTES, V1 } from './replica-site-fixture.js';
import { TestSplitter } from './test-splitter.js';

const KIB = 1024;
const HOLE = Allocation.hole + Allocation.zero;
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

const since = (point: PointId): string => `volume-mover:changed-since/${point}`;

async function connect({ nbd }: RunningAppliance, name: string, ...contexts: readonly string[]): Promise<NbdClient> {
  const client = await connectNbd(nbd, name, { contexts });
  connections.push(client);
  return client;
}

/** A guest of one volume: writes, and closes points. */
class Guest {
  readonly #control: FakeSplitterControl;
  readonly #stream: TestSplitter;
  readonly #appliance: RunningAppliance;
  readonly content = Buffer.alloc(SIZE_BYTES);
  #n = 0;

  private constructor(appliance: RunningAppliance, control: FakeSplitterControl, stream: TestSplitter) {
    this.#appliance = appliance;
    this.#control = control;
    this.#stream = stream;
  }

  static async attach(appliance: RunningAppliance): Promise<Guest> {
    const control = await new FakeSplitterControl(S1).start();
    world.onStop(async () => control.stop());
    const stream = await TestSplitter.connect(appliance.url, S1, control.url);
    expect(await stream.attach(1, V1)).toMatchObject({ type: 'attached' });
    control.members.set(V1, { group: G1, n: 0 });
    return new Guest(appliance, control, stream);
  }

  async write(offset: number, length: number, fill: number): Promise<void> {
    this.#n += 1;
    this.content.fill(fill, offset, offset + length);
    this.#stream.write(1, this.#n, offset, Buffer.alloc(length, fill));
    this.#control.members.set(V1, { group: G1, n: this.#n });
    await this.#stream.confirmed(1, this.#n);
  }

  async point(): Promise<PointId> {
    const point = await this.#appliance.control.closePoint({ group: G1 });
    expect(point.members.map(({ volume }) => volume)).toContain(V1);
    return point.id;
  }
}

async function extents(client: NbdClient, context: string): Promise<readonly string[]> {
  const all: { length: number; flags: number }[] = [];
  for (let at = 0; at < SIZE_BYTES;) {
    const answer = (await client.blockStatus(at, SIZE_BYTES - at)).get(context) ?? [];
    for (const extent of answer) {
      const last = all.at(-1);
      if (last?.flags === extent.flags) last.length += extent.length;
      else all.push({ ...extent });
      at += extent.length;
    }
  }
  return all.map(({ length, flags }) => `${length / KIB}:${flags}`);
}

test('a point tells its holes and what differs from each earlier point, whatever came later', async () => {
  await world.site();
  const appliance = await world.appliance('a1');
  const guest = await Guest.attach(appliance);
  const empty = await guest.point();
  await guest.write(64 * KIB, 8 * KIB, 1);
  const first = await guest.point();
  await guest.write(68 * KIB, 8 * KIB, 2);
  const second = await guest.point();
  await guest.write(512 * KIB, 64 * KIB, 3);

  const client = await connect(appliance, `${V1}@${second}`, BASE_ALLOCATION, since(first), since(empty));
  expect(client.contexts).toEqual([BASE_ALLOCATION, since(first), since(empty)]);
  expect(await extents(client, BASE_ALLOCATION)).toEqual([`64:${HOLE}`, '12:0', `${1024 - 76}:${HOLE}`]);
  expect(await extents(client, since(first))).toEqual(['68:0', '8:1', `${1024 - 76}:0`]);
  expect(await extents(client, since(empty))).toEqual(['64:0', '12:1', `${1024 - 76}:0`]);
  expect(await extents(await connect(appliance, `${V1}@${first}`, since(first)), since(first))).toEqual(['1024:0']);
});

test('an increment on top of the earlier point is the later one', async () => {
  await world.site();
  const appliance = await world.appliance('a1');
  const guest = await Guest.attach(appliance);
  for (const block of [3, 7, 20]) await guest.write(block * 4 * KIB, 6 * KIB, block);
  const first = await guest.point();
  const copy = Buffer.from(guest.content);
  for (const block of [7, 8, 100, 3]) await guest.write(block * 4 * KIB + 100, 3 * KIB, block + 100);
  await guest.write(20 * 4 * KIB, 4 * KIB, 0);
  const second = await guest.point();
  const expected = Buffer.from(guest.content);
  await guest.write(0, 128 * KIB, 9);
  const client = await connect(appliance, `${V1}@${second}`, since(first));
  let at = 0;
  for (const extent of (await client.blockStatus(0, SIZE_BYTES)).get(since(first)) ?? []) {
    if (extent.flags === 1) (await client.read(at, extent.length)).copy(copy, at);
    at += extent.length;
  }
  expect(copy.equals(expected)).toBe(true);
});

test('a later point, another volume and one that is unknown are refused with the reason', async () => {
  await world.site();
  const appliance = await world.appliance('a1');
  const guest = await Guest.attach(appliance);
  await guest.write(0, 4 * KIB, 1);
  const first = await guest.point();
  await guest.write(0, 4 * KIB, 2);
  const second = await guest.point();
  await expect(connect(appliance, `${V1}@${first}`, since(second))).rejects.toThrow(/later than the image/);
  await expect(connect(appliance, `${V1}@${first}`, 'volume-mover:changed-since/p999999999')).rejects.toThrow(/point/i);
  const client = await connect(appliance, `${V1}@${first}`, 'volume-mover:changed-since/', 'volume-mover:other');
  expect(client.contexts).toEqual([]);
});

test('what was written to a scratch counts as changed and allocated, and zeroes as holes', async () => {
  await world.site();
  const appliance = await world.appliance('a1');
  const guest = await Guest.attach(appliance);
  await guest.write(64 * KIB, 16 * KIB, 1);
  const point = await guest.point();
  const access = await appliance.control.openAccess({ group: G1, point, writable: true, client: CLIENT });
  const name = access.exports.find(({ volume }) => volume === V1)?.name ?? '';
  const client = await connect(appliance, name, BASE_ALLOCATION, since(point));
  await client.write(256 * KIB, Buffer.alloc(4 * KIB, 5));
  await client.zeroes(68 * KIB, 4 * KIB);
  expect(await extents(client, BASE_ALLOCATION)).toEqual([
    `64:${HOLE}`,
    '4:0',
    `4:${HOLE}`,
    '8:0',
    `${256 - 80}:${HOLE}`,
    '4:0',
    `${1024 - 260}:${HOLE}`,
  ]);
  expect(await extents(client, since(point))).toEqual(['68:0', '4:1', `${256 - 72}:0`, '4:1', `${1024 - 260}:0`]);
});

test('the changes are known again after a restart of the replica site', async () => {
  const site = await world.site();
  const appliance = await world.appliance('a1');
  const guest = await Guest.attach(appliance);
  await guest.write(0, 4 * KIB, 1);
  const first = await guest.point();
  await guest.write(8 * KIB, 4 * KIB, 2);
  const client = await connect(appliance, `${V1}@${await guest.point()}`, since(first));
  const before = await extents(client, since(first));
  expect(before).toEqual(['8:0', '4:1', `${1024 - 12}:0`]);
  await site.stop();
  await world.site();
  expect(await extents(client, since(first))).toEqual(before);
});
