// Comparing a whole volume with its replica on real processes: what it sends, and that it is exact
// while the guest writes, the link is slow, and processes are killed in the middle of it.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { volumeIdSchema } from '../../contracts/ids.js';
import type { SplitterVolume } from '../../contracts/splitter-api.js';
import { compareExports, withExport } from '../../estate/compare.js';
import { createNamespace } from '../support/namespace.js';
import { estateOf, TestEstate } from '../support/test-estate.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';

const MIB = 1024 * 1024;
const REGION_BYTES = 64 * 1024;
const SIZE_MIB = 64;
const REGIONS = (SIZE_MIB * MIB) / REGION_BYTES;
const VOLUME = volumeIdSchema.parse('vm-1-disk-0');
const HOST = 'host-1';

let estate: TestEstate;

beforeAll(async () => {
  const address = inject('temporalAddress');
  const namespace = await createNamespace(address);
  estate = await TestEstate.start({
    estate: estateOf({ groups: { 'cg-gold': { appliance: 'appliance-1', volumes: [VOLUME] } }, sizeMiB: SIZE_MIB }),
    temporal: { address, namespace, uiUrl: undefined },
    // Small, so that copies overflow into marks.
    environment: { VOLUME_MOVER_QUEUE_MIB: '2' },
  });
  await withExport(await estate.source(VOLUME), async (disk) => {
    for (let at = 0; at < SIZE_MIB; at += 1) await disk.write(at * MIB, Buffer.alloc(MIB, at + 1));
  });
  await estate.quiet(VOLUME);
});
afterAll(async () => estate.stop());

async function view(): Promise<SplitterVolume> {
  return estate.client.volumes.splitterView(VOLUME);
}

async function isComparing(): Promise<boolean> {
  const { mode, initialization } = await view();
  return mode === 'INITIALIZING' && (initialization?.doubtedRegions ?? 0) > 0;
}

async function differentBytes(): Promise<number> {
  await estate.quiet(VOLUME);
  const found = await compareExports(await estate.source(VOLUME), await estate.image(VOLUME));
  return found.differentBytes;
}

/** Changes one byte of each of these regions behind the splitter's back, while it is stopped. */
async function spoilSource(regions: readonly number[]): Promise<void> {
  await estate.process(HOST).stop();
  const file = await open(join(estate.folder, HOST, 'volumes', `${VOLUME}.img`), 'r+');
  for (const region of regions) await file.write(Buffer.from([0xee]), 0, 1, region * REGION_BYTES + 77);
  await file.close();
  await estate.process(HOST).start();
}

/**
 * A guest that writes all over the volume until it is told to stop; it comes back to a splitter
 * that was restarted.
 */
function guest(seed: number, lengthMax: number): { readonly stop: () => Promise<number> } {
  const stopping = new AbortController();
  let writes = 0;
  const running = (async () => {
    while (!stopping.signal.aborted) {
      const wrote = withExport(await estate.source(VOLUME), async (disk) => {
        for (; !stopping.signal.aborted; writes += 1) {
          const at = ((seed + writes) * 7_919 * 4_096) % (SIZE_MIB * MIB - lengthMax);
          await disk.write(at, Buffer.alloc(4_096 + ((writes * 37) % (lengthMax - 4_095)), writes % 251));
        }
      });
      await wrote.catch(() => undefined);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await running;
      return writes;
    },
  };
}

test('with 1 % of 64 MiB changed, little more than 1 % is sent', async () => {
  const changed = Array.from({ length: Math.ceil(REGIONS / 100) }, (_, i) => i * 93);
  await spoilSource(changed);
  expect(await differentBytes()).toBe(0);
  const { resentBytes } = await view();
  console.log(`sent again ${resentBytes} of ${SIZE_MIB * MIB} bytes: ${resentBytes / (SIZE_MIB * MIB)}`);
  expect(resentBytes).toBe(changed.length * REGION_BYTES);
});

test('what a guest writes before, during and after a comparison is at the replica too', async () => {
  const writing = guest(1, 3 * REGION_BYTES);
  await estate.client.volumes.resync({ volume: VOLUME });
  await untilTrue('the comparison is over', PATIENCE_MS, async () => !(await isComparing()));
  expect(await writing.stop()).toBeGreaterThan(0);
  expect(await differentBytes()).toBe(0);
});

test('a comparison over a slow link is exact, though copies of writes overflow into marks', async () => {
  const { calls } = estate.appliance('appliance-1');
  await calls.setLink({ cut: false, bytesPerSecond: 4 * MIB });
  await estate.client.volumes.resync({ volume: VOLUME });
  await untilTrue('the comparison is under way', PATIENCE_MS, isComparing);
  const writing = guest(2, 2 * MIB);
  await untilTrue('copies overflow', PATIENCE_MS, async () => {
    const { unconfirmedBytes, markedRegions } = await view();
    return unconfirmedBytes > MIB && markedRegions > 0;
  });
  await calls.setLink({ cut: false });
  expect(await writing.stop()).toBeGreaterThan(0);
  expect(await differentBytes()).toBe(0);
});

test('a splitter that is killed in the middle goes on comparing: it sends what differs, and what was on its way', async () => {
  const { calls } = estate.appliance('appliance-1');
  await estate.quiet(VOLUME);
  await estate.process(HOST).restart();
  const changed = [3, 500, 1_000];
  await calls.setLink({ cut: true });
  await spoilSource(changed);
  await estate.client.volumes.resync({ volume: VOLUME });
  expect((await view()).initialization?.doubtedRegions).toBe(REGIONS);
  await estate.process(HOST).restart('SIGKILL');
  expect((await view()).initialization?.doubtedRegions).toBe(REGIONS);
  await calls.setLink({ cut: false, bytesPerSecond: 4 * MIB });
  await untilTrue('the comparison is under way', PATIENCE_MS, isComparing);
  await estate.process(HOST).restart('SIGKILL');
  await calls.setLink({ cut: false });
  expect(await differentBytes()).toBe(0);
  const { resentBytes } = await view();
  console.log(`sent again after kill -9: ${resentBytes} of ${SIZE_MIB * MIB} bytes`);
  expect(resentBytes).toBeLessThanOrEqual(changed.length * REGION_BYTES);
  // Nothing is compared any more: what a later crash leaves marked is sent.
  expect(await view()).toMatchObject({ mode: 'SYNCED', markedRegions: 0 });
});

test.each(['replica-site', HOST, 'appliance-1'])(
  'a comparison in which %s is killed while the guest writes on is exact',
  async (id) => {
    const { calls } = estate.appliance('appliance-1');
    await calls.setLink({ cut: false, bytesPerSecond: 4 * MIB });
    await spoilSource([3, 500, 1_000]);
    const writing = guest(3, REGION_BYTES);
    await estate.client.volumes.resync({ volume: VOLUME });
    await untilTrue('the comparison is under way', PATIENCE_MS, isComparing);
    await estate.process(id).restart('SIGKILL');
    await calls.setLink({ cut: false });
    expect(await writing.stop()).toBeGreaterThan(0);
    expect(await differentBytes()).toBe(0);
  },
);
