// Splitter, appliance and replica site together: what a guest wrote is in the images, through pauses and cut links.
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectNbd } from '../../nbd/client.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import { createApiClient } from '../../control/client.js';
import { DEFAULT_SPLITTER_LIMITS } from '../../simulator/splitter/limits.js';
import { startSplitter } from '../../simulator/splitter/splitter.js';
import { G1, type RunningAppliance, S1, SiteWorld, SIZE_BYTES, until, V1 } from './replica-site-fixture.js';
import { block } from './test-splitter.js';

let world: SiteWorld;

beforeEach(() => {
  world = new SiteWorld();
});
afterEach(async () => world.stop());

async function splitterOn(appliance: RunningAppliance) {
  const { estate } = world;
  const appliances = estate.appliances.map((entry) =>
    entry.id === 'a1' ? { ...entry, control: { ...entry.control, url: appliance.url } } : entry,
  );
  const running = await startSplitter({
    id: S1,
    estate: { ...estate, appliances },
    dataFolder: join(world.folder, S1),
    sync: false,
    trace: false,
    limits: DEFAULT_SPLITTER_LIMITS,
    unprotected: false,
    log: pino({ level: 'silent' }),
  });
  world.onStop(running.stop);
  const control = createApiClient(splitterApi, { baseUrl: running.url });
  const guest = await connectNbd(running.nbd.socket === undefined ? running.nbd : { path: running.nbd.socket }, V1);
  world.onStop(async () => guest.disconnect());
  const modeOf = async () => (await control.inventory({ volume: V1 })).volumes[0];
  const quiet = async () =>
    until(async () => {
      const volume = await modeOf();
      return volume?.mode === 'SYNCED' && volume.unconfirmedBytes === 0 && volume.markedRegions === 0;
    }, 'the volume is quiet');
  return { guest, modeOf, quiet };
}

async function contentOf(client: NbdClient): Promise<string> {
  return (await client.read(0, SIZE_BYTES)).toString('base64');
}

async function sameAs(guest: NbdClient, appliance: RunningAppliance): Promise<boolean> {
  const image = await connectNbd(appliance.nbd, 'v1@latest');
  const same = (await contentOf(image)) === (await contentOf(guest));
  await image.disconnect();
  return same;
}

test('a paused group keeps marks only; resumed, it is initialized again, the gap is recorded and the replica is the source', async () => {
  const site = await world.site();
  const appliance = await world.appliance('a1');
  const { guest, modeOf, quiet } = await splitterOn(appliance);
  for (let n = 1; n <= 50; n += 1) await guest.write((n % 200) * 4096, block(n));
  await quiet();
  expect((await appliance.control.closePoint({ group: G1 })).members.map((member) => member.volume)).toContain(V1);

  await appliance.control.pauseGroup({ group: G1 });
  await until(async () => {
    await guest.write(0, block(1));
    return (await modeOf())?.mode === 'MARKS_ONLY';
  }, 'marks only');
  for (let n = 1; n <= 50; n += 1) await guest.write((n % 250) * 4096, block(n + 100));
  await appliance.control.resumeGroup({ group: G1 });
  await quiet();
  await until(async () => sameAs(guest, appliance), 'the replica is the source');
  const { holes } = await site.control.listPoints({ volume: V1 });
  expect(holes).toHaveLength(1);
  expect(holes[0]?.toPosition).toBeGreaterThan(holes[0]?.fromPosition ?? Number.POSITIVE_INFINITY);
});

test('after a cut link everything that was written meanwhile arrives', async () => {
  await world.site();
  const appliance = await world.appliance('a1');
  const { guest, quiet } = await splitterOn(appliance);
  await guest.write(0, block(1));
  await quiet();
  await appliance.control.setLink({ cut: true });
  for (let n = 1; n <= 100; n += 1) await guest.write((n % 250) * 4096, block(n));
  await appliance.control.setLink({ cut: false });
  await quiet();
  await until(async () => (await appliance.control.lag({ volume: V1 })).undistributedBytes === 0, 'all is applied');
  expect(await sameAs(guest, appliance)).toBe(true);
});
