// Volumes that come and go at a running splitter: what stands against it, what a kill in between
// leaves, and that the others don't notice.
import { existsSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import { attempt, describe, MIB, quiet, SIZE_MIB, SplitterWorld, until, V1, V2 } from './splitter-fixture.js';

const NEW = volumeIdSchema.parse('new');
const BLOCK = 4 * 1024;
let world: SplitterWorld;

beforeEach(async () => {
  world = await new SplitterWorld().start();
});
afterEach(async () => world.stop());

/** The codes of all reasons of a refusal; of another error its own. */
async function codesOf(call: Promise<unknown>): Promise<string[]> {
  try {
    await call;
    return [];
  } catch (error) {
    if (!(error instanceof MoverError)) throw error;
    return error.reasons.length === 0 ? [error.code] : error.reasons.map(({ code }) => code);
  }
}

test('an added volume is served beside a guest that writes, also after kill -9 and with a file that has left it out', async () => {
  const splitter = await world.splitterProcess();
  const other = await splitter.open(V2);
  await other.write(0, Buffer.alloc(BLOCK, 1));
  const order = { volume: NEW, sizeMiB: SIZE_MIB, to: world.endpoint('g1') };
  expect(await splitter.control.addVolume({ ...order, dryRun: true })).toEqual({ changed: true });
  await expect(splitter.open(NEW)).rejects.toThrow(/no such export/);
  expect(await splitter.control.addVolume(order)).toEqual({ changed: true });
  expect(await splitter.control.addVolume(order)).toEqual({ changed: false });
  await (await splitter.open(NEW)).write(MIB, Buffer.alloc(BLOCK, 2));
  await other.write(BLOCK, Buffer.alloc(BLOCK, 3));
  await quiet(splitter, NEW);
  await quiet(splitter, V2);
  await splitter.kill();

  const again = await world.splitterProcess();
  const guest = await again.open(NEW);
  await guest.write(2 * MIB, Buffer.alloc(BLOCK, 4));
  await quiet(again, NEW);
  expect(world.site.imageOf(NEW, SIZE_MIB * MIB).equals(world.source(NEW))).toBe(true);
  const told = async (): Promise<string[]> =>
    (await again.control.health({})).notes.filter((note) =>
      note.startsWith(`Volume "${NEW}" is not in the estate file`),
    );
  expect(await told()).toHaveLength(1);
  await guest.disconnect();
  await until(
    async () => (await codesOf(again.control.retireVolume({ volume: NEW, dryRun: true }))).length === 0,
    'nothing stands against retiring it',
  );
  await again.control.retireVolume({ volume: NEW });
  expect(await told()).toEqual([]);
});

test('a volume that cannot be added is refused with every reason, and the splitter is as before', async () => {
  const splitter = await world.splitter();
  const to = world.endpoint('g1');
  writeFileSync(world.path(NEW, 'img'), 'not a disk of that size');
  expect(await codesOf(splitter.control.addVolume({ volume: NEW, sizeMiB: SIZE_MIB, to }))).toEqual([
    'VOLUME_UNUSABLE',
  ]);
  expect(await codesOf(splitter.control.addVolume({ volume: V1, sizeMiB: 2 * SIZE_MIB, to }))).toEqual([
    'NAME_TAKEN',
    ...(existsSync(world.path(V1, 'img')) ? ['VOLUME_UNUSABLE'] : []),
  ]);
  const { volumes, unusable } = await splitter.control.inventory({});
  expect(volumes.map(({ volume }) => volume)).toEqual([V1, V2]);
  expect(unusable).toBeUndefined();
});

test('a volume is retired when nobody uses it and everything has arrived; it stays so after kill -9, and its disk stays', async () => {
  const splitter = await world.splitterProcess();
  const guest = await splitter.open(V1);
  await guest.write(0, Buffer.alloc(BLOCK, 5));
  await quiet(splitter, V1);
  expect(await codesOf(splitter.control.retireVolume({ volume: V1 }))).toEqual(['VOLUME_IN_USE']);
  await guest.disconnect();
  await until(
    async () => (await codesOf(splitter.control.retireVolume({ volume: V1, dryRun: true }))).length === 0,
    'the guest is gone',
  );
  await world.notify(splitter, attempt(1));
  expect(await codesOf(splitter.control.retireVolume({ volume: V1 }))).toEqual(['VOLUME_BUSY']);
  await splitter.control.learn({
    attempt: attempt(1),
    verdict: 'ABORTED',
    volumes: [{ volume: V1, splitter: (await splitter.control.inventory({})).splitter, epoch: 1 }],
    to: world.endpoint('g2'),
  });
  expect(await splitter.control.retireVolume({ volume: V1 })).toEqual({ changed: true });
  expect(await splitter.control.retireVolume({ volume: V1 })).toEqual({ changed: false });
  await until(() => !world.first.attached.has(V1), 'its stream is detached');
  await splitter.kill();

  const again = await world.splitterProcess();
  await expect(again.open(V1)).rejects.toThrow(/no such export/);
  expect(await again.control.retireVolume({ volume: V1 })).toEqual({ changed: false });
  expect(await codesOf(again.control.addVolume({ volume: V1, sizeMiB: SIZE_MIB, to: world.endpoint('g1') }))).toEqual([
    'VOLUME_RETIRED',
  ]);
  expect(world.source(V1).subarray(0, BLOCK).equals(Buffer.alloc(BLOCK, 5))).toBe(true);
  await (await again.open(V2)).write(0, Buffer.alloc(BLOCK, 6));
  await quiet(again, V2);
});

test('a volume whose writes have not arrived is retired only when a person says so', async () => {
  const splitter = await world.splitter();
  const guest = await splitter.open(V1);
  await guest.write(0, Buffer.alloc(BLOCK, 7));
  await quiet(splitter, V1);
  await world.first.stop();
  await guest.write(MIB, Buffer.alloc(BLOCK, 8));
  await guest.disconnect();
  await until(async () => (await describe(splitter, V1)).mode === 'UNCONFIRMED', 'the stream is gone');
  await until(
    async () => (await codesOf(splitter.control.retireVolume({ volume: V1, dryRun: true }))).join() === 'NOT_SYNCED',
    'only the missing writes stand against it',
  );
  expect(await splitter.control.retireVolume({ volume: V1, unsynced: true })).toEqual({ changed: true });
  expect(await codesOf(splitter.control.inventory({ volume: V1 }))).toEqual(['VOLUME_NOT_FOUND']);
  expect((await describe(splitter, V2)).volume).toBe(V2);
});

test('a forgotten volume leaves nothing but its disk, and its name is protected anew as another disk, also after kill -9', async () => {
  const splitter = await world.splitterProcess();
  const order = { volume: V1, confirm: V1 };
  const guest = await splitter.open(V1);
  await guest.write(0, Buffer.alloc(BLOCK, 9));
  await guest.disconnect();
  await quiet(splitter, V1);
  expect(await codesOf(splitter.control.forgetVolume(order))).toEqual(['VOLUME_NOT_RETIRED']);
  expect(await splitter.control.forgetVolume({ volume: NEW, confirm: NEW })).toEqual({ changed: false });
  await until(
    async () => (await codesOf(splitter.control.retireVolume({ volume: V1 }))).length === 0,
    'the guest is gone',
  );
  expect(await codesOf(splitter.control.forgetVolume({ ...order, confirm: V2 }))).toEqual(['INVALID_REQUEST']);
  expect(await splitter.control.forgetVolume({ ...order, dryRun: true })).toEqual({ changed: true });
  expect(existsSync(world.path(V1, 'marks'))).toBe(true);
  expect(await splitter.control.forgetVolume(order)).toEqual({ changed: true });
  expect(await splitter.control.forgetVolume(order)).toEqual({ changed: false });
  expect(existsSync(world.path(V1, 'marks'))).toBe(false);
  expect(world.source(V1).subarray(0, BLOCK).equals(Buffer.alloc(BLOCK, 9))).toBe(true);

  // The disk that lies there is sent whole: nothing is known of it any more.
  expect(await splitter.control.addVolume({ volume: V1, sizeMiB: SIZE_MIB, to: world.endpoint('g1') })).toEqual({
    changed: true,
  });
  await quiet(splitter, V1);
  await splitter.kill();
  const again = await world.splitterProcess();
  await (await again.open(V1)).write(MIB, Buffer.alloc(BLOCK, 10));
  await quiet(again, V1);
  expect(world.site.imageOf(V1, SIZE_MIB * MIB).equals(world.source(V1))).toBe(true);
});
