// A volume whose source's disk fails in places: what can't be read is named and passed over, its
// guest is told, and nobody else notices.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NbdError } from '../../nbd/errors.js';
import {
  attempt,
  describe,
  quiet,
  type Running,
  SIZE_BYTES,
  SplitterWorld,
  until,
  V1,
  V2,
} from '../integration/splitter-fixture.js';
import { FailingFile } from '../support/failing-file.js';

const KIB = 1024;
const BLOCK = 4 * KIB;
const REGION = 64 * KIB;
let world: SplitterWorld;
let file: FailingFile;

beforeEach(async () => {
  world = await new SplitterWorld().start();
  mkdirSync(join(world.dataFolder, 'volumes'), { recursive: true });
  file = await FailingFile.mount(world.path(V1, 'img'), Buffer.alloc(SIZE_BYTES, 1));
  world.onStop(async () => file.unmount());
});
afterEach(async () => world.stop());

const replica = () => world.site.imageOf(V1, SIZE_BYTES);
/** Waits until all but so many regions have been sent. */
const marked = async (splitter: Running, regions: number): Promise<void> =>
  until(async () => {
    const { markedRegions, unconfirmedBytes } = await describe(splitter, V1);
    return markedRegions === regions && unconfirmedBytes === 0;
  }, `${regions} regions marked`);

test('regions that can’t be read are named and passed over, keep the volume out of points and moves, and heal', async () => {
  // Pages of regions 3 and 4, and of region 20.
  file.breakAt(3 * REGION, 4 * REGION + 2 * BLOCK);
  file.breakAt(20 * REGION + BLOCK, 20 * REGION + 2 * BLOCK);
  // The bitmap of a source without one counts as lost: all of the volume has to be sent.
  const splitter = await world.splitterProcess();
  await marked(splitter, 3);

  const view = await describe(splitter, V1);
  expect(view).toMatchObject({
    mode: 'INITIALIZING',
    connected: true,
    unreadable: {
      regions: 3,
      ranges: [
        { offset: 3 * REGION, length: 2 * REGION },
        { offset: 20 * REGION, length: REGION },
      ],
    },
  });
  const named = [`bytes ${3 * REGION} to ${5 * REGION - 1}`, `${20 * REGION} to`, 'EIO', world.path(V1, 'img')];
  const { notes } = await splitter.control.health({});
  for (const words of named) expect(notes.join('\n')).toContain(words);
  const { cuts, leftOut } = await splitter.control.cut({ round: 'r', group: world.endpoint('g1').group });
  expect(cuts.map(({ volume }) => volume)).toEqual([V2]);
  expect(leftOut).toEqual([{ volume: V1, reason: 'initializing' }]);
  await expect(splitter.control.openScan({ volume: V1, scan: 's', leaseMs: 1_000 })).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    retryable: false,
  });
  await world.notify(splitter, attempt(1));
  await expect(splitter.control.fence({ attempt: attempt(1), volumes: [V1], leaseMs: 1_000 })).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
  });

  // Reading is tried again a few times, not a hundred times a second, whatever the guest writes
  // meanwhile.
  const guest = await splitter.open(V1);
  const { readings } = file;
  for (let n = 0; n < 100; n += 1) await guest.write(40 * REGION, Buffer.alloc(BLOCK, n));
  await marked(splitter, 3);
  expect(file.readings - readings).toBeLessThan(30);
  expect(await guest.read(3 * REGION, BLOCK).catch(String)).toContain('EIO');

  // A whole overwrite makes a region known; in parts it does once all of it can be read.
  await guest.write(3 * REGION, Buffer.alloc(REGION, 7));
  await marked(splitter, 2);
  await guest.write(4 * REGION, Buffer.alloc(2 * BLOCK, 8));
  await guest.write(20 * REGION + BLOCK, Buffer.alloc(BLOCK, 9));
  await quiet(splitter, V1);
  expect(replica().equals(file.content)).toBe(true);
  expect((await describe(splitter, V1)).unreadable).toBeUndefined();
});

test('a disk that fails altogether is told to its guest, and the other volumes’ guests notice nothing', async () => {
  const splitter = await world.splitterProcess();
  await quiet(splitter, V1);
  file.breakAt(0, SIZE_BYTES);
  file.refusesWrites = true;
  const [one, two] = [await splitter.open(V1), await splitter.open(V2)];
  const codeOf = (error: unknown): unknown => (error instanceof NbdError ? error.code : error);
  for (let n = 0; n < 50; n += 1) {
    expect(await one.write(n * REGION, Buffer.alloc(BLOCK, 5)).catch(codeOf)).toBe('EIO');
    expect(await one.read(n * REGION, BLOCK).catch(codeOf)).toBe('EIO');
    await two.write(n * REGION, Buffer.alloc(BLOCK, n));
  }
  await quiet(splitter, V2);
  expect(world.site.imageOf(V2, SIZE_BYTES).equals(world.source(V2))).toBe(true);
  // Nobody knows what a failed write left there.
  expect((await describe(splitter, V1)).markedRegions).toBeGreaterThanOrEqual(50);
  expect((await splitter.control.health({})).notes.join('\n')).toContain(world.path(V1, 'img'));

  file.refusesWrites = false;
  file.unreadable.clear();
  await one.write(0, Buffer.alloc(BLOCK, 6));
  await quiet(splitter, V1);
  expect(replica().equals(file.content)).toBe(true);
});
