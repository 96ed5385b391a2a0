// Splitter, appliance and replica site together: what a guest wrote is in the images, through
// pauses and cut links.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectNbd } from '../../nbd/client.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { G1, type RunningAppliance, SiteWorld, SIZE_BYTES, until, V1 } from './replica-site-fixture.js';
import { splitterOn } from './splitter-on.js';
import { block } from './test-splitter.js';

let world: SiteWorld;

beforeEach(() => {
  world = new SiteWorld();
});
afterEach(async () => world.stop());

async function guestOn(appliance: RunningAppliance) {
  const { control, guest: connect } = await splitterOn(world, appliance);
  const guest = await connect();
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
  const { guest, modeOf, quiet } = await guestOn(appliance);
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
  const { guest, quiet } = await guestOn(appliance);
  await guest.write(0, block(1));
  await quiet();
  await appliance.control.setLink({ cut: true });
  for (let n = 1; n <= 100; n += 1) await guest.write((n % 250) * 4096, block(n));
  await appliance.control.setLink({ cut: false });
  await quiet();
  await until(async () => (await appliance.control.lag({ volume: V1 })).undistributedBytes === 0, 'all is applied');
  expect(await sameAs(guest, appliance)).toBe(true);
});
