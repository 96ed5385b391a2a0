// A splitter whose disk is full: guests and marks go on, control calls are refused with a code that
// says so, and it can start.
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NbdError } from '../../nbd/errors.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
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
} from '../integration/splitter-fixture.js';
import { SmallDisk } from '../support/small-disk.js';

const KIB = 1024;
const BLOCK = 4 * KIB;
const REGION = 64 * KIB;
/** Room for two volumes, the store with its reserve, and the traces of some hundred writes. */
const DISK_KIB = 16 * KIB;
let world: SplitterWorld;
let disk: SmallDisk;

beforeEach(async () => {
  world = await new SplitterWorld().start();
  disk = SmallDisk.mount(world.dataFolder, DISK_KIB);
  world.onStop(() => disk.unmount());
});
afterEach(async () => world.stop());

const codeOf = (error: unknown): unknown => (error instanceof NbdError ? error.code : error);
const notify = async (running: Running, n: number) => world.notify(running, attempt(n), [bound(1, V2)]);

/** Overwrites what has its space already, all over the volume. */
async function overwrite(guest: NbdClient, fill: number): Promise<void> {
  for (let at = 0; at < SIZE_BYTES; at += REGION) await guest.write(at + BLOCK, Buffer.alloc(BLOCK, fill));
}

test('on a full disk guests overwrite, replication and moves go on, and only what needs space is refused', async () => {
  const splitter = await world.splitterProcess();
  const [one, two] = [await splitter.open(V1), await splitter.open(V2)];
  await one.write(0, Buffer.alloc(SIZE_BYTES, 1));
  await two.write(0, Buffer.alloc(MIB, 1));
  await Promise.all([quiet(splitter, V1), quiet(splitter, V2)]);
  disk.fill();

  await overwrite(one, 2);
  expect(await two.write(2 * MIB, Buffer.alloc(BLOCK, 2)).catch(codeOf)).toBe('ENOSPC');
  await until(
    async () => (await splitter.control.health({})).notes.some((note) => note.includes(world.path(V2, 'img'))),
    'the file is named',
  );
  await two.write(0, Buffer.alloc(BLOCK, 2));
  // The store took its space beforehand.
  expect((await notify(splitter, 1)).volumes[0]?.notice).toMatchObject({ attempt: attempt(1) });
  await splitter.control.learn({
    attempt: attempt(1),
    verdict: 'ABORTED',
    volumes: [bound(1, V2)],
    to: world.endpoint('g2'),
  });
  await Promise.all([quiet(splitter, V1), quiet(splitter, V2)]);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);

  // A killed splitter starts again, with a new session and all of its guests' disks.
  await splitter.kill();
  const again = await world.splitterProcess();
  await overwrite(await again.open(V1), 3);
  await quiet(again, V1);
  expect(await describe(again, V1)).toMatchObject({ last: { session: 2 } });
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
  expect(again.child.exitCode).toBeNull();
});

/** The space that the store keeps for its changes is taken from it. */
function dropReserve(): void {
  const path = join(world.dataFolder, 'store', 'data.mdb');
  const content = readFileSync(path);
  let { length } = content;
  while (content.subarray(length - BLOCK, length).every((byte) => byte === 0)) length -= BLOCK;
  truncateSync(path, length);
}

test('at a first start without room new disks are refused to guests, which says why, and room heals it', async () => {
  // Enough for a store to be made, not for a change of it.
  disk.fill(100);
  const splitter = await world.splitterProcess({ environment: { VOLUME_MOVER_PROOF_WAIT_S: '0' } });
  disk.fill();
  const guest = await splitter.open(V1);
  expect(await guest.read(0, BLOCK).catch(codeOf)).toBe('EIO');
  expect(await describe(splitter, V1)).toMatchObject({ source: { state: 'unproven' }, last: { session: 0, n: 0 } });
  expect((await splitter.control.health({})).notes.join('\n')).toMatch(/no room left[^]*volume-mover source accept/);
  disk.empty();
  await quiet(splitter, V1);
  await guest.write(0, Buffer.alloc(BLOCK, 1));
  await quiet(splitter, V1);
});

test('where nothing can be stored it starts and serves, numbers nothing, refuses calls, and room heals it', async () => {
  mkdirSync(join(world.dataFolder, 'volumes'));
  for (const volume of [V1, V2]) writeFileSync(world.path(volume, 'img'), Buffer.alloc(SIZE_BYTES, 1));
  const taken = await world.splitterProcess();
  await Promise.all([quiet(taken, V1), quiet(taken, V2)]);
  await taken.kill();
  dropReserve();
  disk.fill();
  const records = world.site.records(V1).length;
  const first = await world.splitterProcess();
  await overwrite(await first.open(V1), 2);
  expect(await describe(first, V1)).toMatchObject({ mode: 'MARKS_ONLY', connected: false, last: { session: 0, n: 0 } });
  await expect(notify(first, 1)).rejects.toMatchObject({ code: 'STORAGE_FULL', retryable: true });
  expect((await describe(first, V2)).notice).toBeUndefined();
  const { status, notes } = await first.control.health({});
  expect(status).toBe('degraded');
  expect(notes.join('\n')).toContain(`no room left to store a change in ${join(world.dataFolder, 'store')}`);

  await first.kill();
  const again = await world.splitterProcess();
  const guest = await again.open(V1);
  expect(await guest.read(BLOCK, BLOCK)).toEqual(Buffer.alloc(BLOCK, 2));
  await overwrite(guest, 3);
  expect(world.site.records(V1)).toHaveLength(records);
  expect(again.child.exitCode).toBeNull();

  disk.empty();
  await Promise.all([quiet(again, V1), quiet(again, V2)]);
  expect((await describe(again, V1)).last.session).toBe(2);
  expect((await notify(again, 1)).volumes[0]?.notice).toMatchObject({ attempt: attempt(1) });
  await overwrite(guest, 4);
  await quiet(again, V1);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
});
