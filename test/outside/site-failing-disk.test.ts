// A replica image on a real file whose disk refuses to read for a while: its volume's distribution
// waits, health names file and errno, history grows in the journal, and nothing is given up.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectNbd } from '../../nbd/client.js';
import { G1, SiteWorld, SIZE_BYTES, until, V1 } from '../integration/replica-site-fixture.js';
import { splitterOn } from '../integration/splitter-on.js';
import { block } from '../integration/test-splitter.js';
import { FailingFile } from '../support/failing-file.js';

const BLOCK_BYTES = 4096;
/**
 * Tries of distribution on the failing disk: with their pauses, longer than a disk array takes to
 * notice a lost path.
 */
const TRIES = 6;
let world: SiteWorld;

beforeEach(() => {
  world = new SiteWorld();
});
afterEach(async () => world.stop());

test('distribution waits for as long as the disk refuses to read, and every point is whole when it reads again', async () => {
  const first = await world.siteProcess();
  const appliance = await world.appliance('a1');
  const { control, guest: connect } = await splitterOn(world, appliance);
  const guest = await connect();
  const confirmed = async (): Promise<void> =>
    until(async () => {
      const [volume] = (await control.inventory({ volume: V1 })).volumes;
      return volume?.mode === 'SYNCED' && volume.unconfirmedBytes === 0 && volume.markedRegions === 0;
    }, 'everything is durable');
  await guest.write(0, block(11));
  await confirmed();
  const { id: before } = await appliance.control.closePoint({ group: G1 });
  await until(async () => (await appliance.control.lag({ volume: V1 })).undistributedBytes === 0, 'all is applied');
  await first.stop();

  const path = join(world.folder, 'site', 'volumes', V1, 'replica.img');
  const file = await FailingFile.mount(path, readFileSync(path));
  world.onStop(async () => file.unmount());
  file.breakAt(0, BLOCK_BYTES);
  const site = await world.siteProcess();
  await confirmed();
  await guest.write(100, Buffer.alloc(200, 22));
  const notes = async (): Promise<string> => (await site.control.health({})).notes.join('\n');
  await until(async () => /replica\.img can't be used since .*EIO/.test(await notes()), 'health names file and errno');
  expect(await notes()).toContain(`If what it can't read is lost for good: volume-mover rebuild ${V1}`);
  const { readings } = file;
  await until(() => file.readings >= readings + TRIES, 'it is tried again and again');
  // New writes are taken in meanwhile, and points of them are closed.
  await guest.write(0, block(33));
  await confirmed();
  const { id: meanwhile } = await appliance.control.closePoint({ group: G1 });
  expect(await notes()).toMatch(/replica\.img can't be used/);

  file.unreadable.clear();
  await until(async () => (await appliance.control.lag({ volume: V1 })).undistributedBytes === 0, 'all is applied');
  expect(await notes()).toBe('');
  for (const [point, content] of [
    [before, 11],
    [meanwhile, 33],
  ] as const) {
    const image = await connectNbd(appliance.nbd, `${V1}@${point}`);
    expect((await image.read(0, BLOCK_BYTES)).equals(block(content))).toBe(true);
    await image.disconnect();
  }
  const image = await connectNbd(appliance.nbd, `${V1}@latest`);
  expect((await image.read(0, BLOCK_BYTES)).equals((await guest.read(0, SIZE_BYTES)).subarray(0, BLOCK_BYTES))).toBe(
    true,
  );
  await image.disconnect();
});
