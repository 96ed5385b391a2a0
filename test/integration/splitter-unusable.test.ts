// What is wrong with one volume's row or files leaves out that volume, with a sentence that says
// what to do; the others are served.
import { existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openRowStore } from '../../simulator/store/row-store.js';
import {
  attempt,
  bound,
  describe,
  MIB,
  quiet,
  type Running,
  SIZE_BYTES,
  SplitterWorld,
  until,
  V1,
  V2,
} from './splitter-fixture.js';

const BLOCK = 4 * 1024;
let world: SplitterWorld;

beforeEach(async () => {
  world = await new SplitterWorld().start();
  const splitter = await world.splitter();
  for (const volume of [V1, V2]) {
    await (await splitter.open(volume)).write(0, Buffer.alloc(BLOCK, 1));
    await quiet(splitter, volume);
  }
  await splitter.stop();
});
afterEach(async () => world.stop());

async function changeRow(change: (row: Record<string, unknown>) => unknown): Promise<void> {
  const store = openRowStore({ directory: join(world.dataFolder, 'store'), tables: ['volumes', 'meta'] });
  const row = new Map(store.rows('volumes')).get(V1);
  store.commit([{ table: 'volumes', key: V1, value: change({ ...(row as object) }) }]);
  await store.close();
}

/** V1 is left out by name, and V2 replicates. */
async function expectLeftOut(splitter: Running, ...says: string[]): Promise<void> {
  const { notes } = await splitter.control.health({});
  const note = notes.find((sentence) => sentence.startsWith(`Volume "${V1}" is not served`)) ?? notes.join();
  for (const words of says) expect(note).toContain(words);
  const inventory = await splitter.control.inventory({});
  expect(inventory.unusable).toEqual([{ volume: V1, reason: note }]);
  expect(inventory.volumes.map(({ volume }) => volume)).toEqual([V2]);

  await expect(splitter.open(V1)).rejects.toThrow(`Volume "${V1}" is not served`);
  const refused = expect.objectContaining({ code: 'VOLUME_UNUSABLE', retryable: false }) as Error;
  await expect(splitter.control.inventory({ volume: V1 })).rejects.toEqual(refused);
  await expect(splitter.control.openScan({ volume: V1, scan: 'scan', leaseMs: 1_000 })).rejects.toEqual(refused);
  await expect(world.notify(splitter, attempt(1), [bound(1), bound(1, V2)])).rejects.toEqual(refused);
  expect((await describe(splitter, V2)).notice).toBeUndefined();

  const records = world.site.records(V2).length;
  await (await splitter.open(V2)).write(0, Buffer.alloc(BLOCK, 2));
  await until(() => world.site.records(V2).length > records, 'the other volume replicates');
  expect(world.first.attached.has(V1)).toBe(false);
}

test('a volume whose stored row is not of the agreed form is left out, and its row stays as it is', async () => {
  await changeRow((row) => ({ ...row, sizeBytes: 'many' }));
  const splitter = await world.splitter();
  await expectLeftOut(splitter, 'stored row', 'sizeBytes');
  await splitter.stop();
  await changeRow((row) => {
    expect(row).toMatchObject({ volume: V1, sizeBytes: 'many' });
    return row;
  });
});

test('a volume under whose name the row of another one is stored is left out', async () => {
  await changeRow((row) => ({ ...row, volume: V2 }));
  await expectLeftOut(await world.splitter(), 'stored row');
});

test('a size that the estate file changed leaves out nothing: the volumes keep the size they have', async () => {
  const splitter = await world.splitter({ sizeMiB: 8 });
  expect((await splitter.control.health({})).notes).toContainEqual(
    expect.stringMatching(/"v1" has 4 MiB here, and 8 MiB in the estate file. It is served and protected/),
  );
  const guest = await splitter.open(V1);
  expect(guest.sizeBytes).toBe(SIZE_BYTES);
  await guest.write(0, Buffer.alloc(BLOCK, 2));
  await quiet(splitter, V1);
});

test('a volume that the estate file leaves out is served and protected all the same', async () => {
  const splitter = await world.splitter({ volumes: [V2] });
  expect((await splitter.control.health({})).notes).toContainEqual(
    expect.stringMatching(/^Volume "v1" is not in the estate file\. It is served and protected/),
  );
  await (await splitter.open(V1)).write(0, Buffer.alloc(BLOCK, 2));
  await quiet(splitter, V1);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
});

test('a volume whose source has another size, or is no file, is left out', async () => {
  truncateSync(world.path(V1, 'img'), MIB);
  const splitter = await world.splitter();
  await expectLeftOut(splitter, world.path(V1, 'img'), `${MIB} bytes instead of ${SIZE_BYTES}`);
  await splitter.stop();
  rmSync(world.path(V1, 'img'));
  mkdirSync(world.path(V1, 'img'));
  await expectLeftOut(await world.splitter(), `${world.path(V1, 'img')} is not a file`);
});

test('a volume whose bitmap of marks can’t be read is left out: marks may stand in it', async () => {
  rmSync(world.path(V1, 'marks'));
  mkdirSync(world.path(V1, 'marks'));
  await expectLeftOut(await world.splitter(), world.path(V1, 'marks'), 'EISDIR');
});

test('a volume is served again once what was named is mended', async () => {
  rmSync(world.path(V1, 'marks'));
  mkdirSync(world.path(V1, 'marks'));
  const splitter = await world.splitter();
  await expect(splitter.open(V1)).rejects.toThrow('is not served');
  await splitter.stop();
  rmSync(world.path(V1, 'marks'), { recursive: true });
  const again = await world.splitter();
  await quiet(again, V1);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
});

test('a spill file that can’t be removed costs the spilling, not the volume', async () => {
  mkdirSync(world.path(V1, 'spill'));
  writeFileSync(join(world.path(V1, 'spill'), 'something'), '');
  const splitter = await world.splitter();
  await (await splitter.open(V1)).write(0, Buffer.alloc(BLOCK, 2));
  await quiet(splitter, V1);
  expect(existsSync(world.path(V1, 'spill'))).toBe(true);
});
