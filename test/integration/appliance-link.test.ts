// What an appliance relays, and what happens when the link is cut or slow, or a group is paused.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeSplitterControl } from '../support/fake-splitter-control.js';
import { G1, refusal, S1, SiteWorld, SIZE_BYTES, until, V1, V2 } from './replica-site-fixture.js';
import { block, TestSplitter, VolumeModel } from './test-splitter.js';
import { connectNbd, listNbdExports } from '../../nbd/client.js';
import { NbdRefused } from '../../nbd/errors.js';

let world: SiteWorld;

beforeEach(() => {
  world = new SiteWorld();
});
afterEach(async () => world.stop());

test('frames reach the replica site and receipts come back through the appliance', async () => {
  const site = await world.site();
  const appliance = await world.appliance('a1');
  const splitter = await TestSplitter.connect(appliance.url, S1);
  expect(await splitter.attach(1, V1)).toMatchObject({ type: 'attached', n: 0 });
  expect(await splitter.attach(2, V2, { sizeBytes: 512 })).toMatchObject({ code: 'INVALID_REQUEST' });
  for (let n = 1; n <= 100; n += 1) splitter.write(1, n, 0, block(n));
  await splitter.confirmed(1, 100);
  expect((await site.control.volumes({ volume: V1 })).volumes[0]?.durable.n).toBe(100);
  await until(async () => (await appliance.control.lag({ volume: V1 })).undistributedBytes === 0, 'all is applied');
  expect(await appliance.control.lag({ volume: V1 })).toEqual({ volume: V1, bufferedBytes: 0, undistributedBytes: 0 });
});

test('a cut link closes the streams and refuses control calls until it is restored', async () => {
  const site = await world.site();
  const appliance = await world.appliance('a1');
  const splitter = await TestSplitter.connect(appliance.url, S1);
  await splitter.attach(1, V1);
  await appliance.control.setLink({ cut: true });
  await until(() => splitter.closed, 'the stream is closed');
  expect(await refusal(appliance.control.siteVolumes({}))).toBe('LINK_DOWN');
  expect((await appliance.control.groups({})).groups).toMatchObject([{ state: 'DISCONNECTED', volumes: 3 }]);
  expect((await appliance.control.health({})).status).toBe('degraded');
  const ready = async (): Promise<number> => (await fetch(`${appliance.url}/readyz`)).status;
  expect(await ready()).toBe(503);
  const refused = await TestSplitter.connect(appliance.url, S1);
  await until(() => refused.closed, 'no stream is relayed');
  expect((await site.control.volumes({})).volumes).toHaveLength(3);

  await appliance.control.setLink({ cut: false });
  await until(async () => (await ready()) === 200, 'it says that it can serve');
  const again = await TestSplitter.connect(appliance.url, S1);
  await again.attach(1, V1);
  again.write(1, 1, 0, block(1));
  await again.confirmed(1, 1);
});

test('a point that is being closed while the link is cut is refused at once', async () => {
  await world.site();
  const appliance = await world.appliance('a1');
  const control = await new FakeSplitterControl('s1').start();
  world.onStop(async () => control.stop());
  const splitter = await TestSplitter.connect(appliance.url, S1, control.url);
  await splitter.attach(1, V1);
  control.members.set(V1, { group: G1, n: 5 });
  const closing = refusal(appliance.control.closePoint({ group: G1 }));
  await until(() => control.asked.length === 1, 'the cut was taken');
  await appliance.control.setLink({ cut: true });
  expect(await closing).toBe('LINK_DOWN');
});

test('a throttled link carries no more than it may, in order, and without limit all the rest', async () => {
  await world.site();
  const appliance = await world.appliance('a1');
  const bytesPerSecond = 400_000;
  await appliance.control.setLink({ cut: false, bytesPerSecond });
  const splitter = await TestSplitter.connect(appliance.url, S1);
  await splitter.attach(1, V1);
  const startedMs = performance.now();
  for (let n = 1; n <= 400; n += 1) splitter.write(1, n, 0, block(n));
  await splitter.confirmed(1, 50);
  const rate = (splitter.receipt(1) * 4096) / ((performance.now() - startedMs) / 1_000);
  expect(rate).toBeLessThan(bytesPerSecond * 1.5);
  await appliance.control.setLink({ cut: false });
  await splitter.confirmed(1, 400);
});

test('a splitter whose replica site went away is disconnected, and goes on with the next one', async () => {
  const site = await world.site();
  const appliance = await world.appliance('a1');
  const splitter = await TestSplitter.connect(appliance.url, S1);
  await splitter.attach(1, V1);
  splitter.write(1, 1, 0, block(1));
  await splitter.confirmed(1, 1);
  await site.stop();
  await until(() => splitter.closed, 'the stream is closed');
  expect(await refusal(appliance.control.siteVolumes({}))).toBe('UNREACHABLE');
  const ready = async (): Promise<number> => (await fetch(`${appliance.url}/readyz`)).status;
  expect(await ready()).toBe(503);
  await world.site();
  // Without any call of a splitter: a process that is not ready may get none.
  await until(async () => (await ready()) === 200, 'it says that it can serve');
  const again = await TestSplitter.connect(appliance.url, S1);
  expect(await again.attach(1, V1)).toMatchObject({ type: 'attached', n: 1 });
});

test('a paused group is told to its splitters, now and when they attach, also after a restart', async () => {
  await world.site();
  let appliance = await world.appliance('a1');
  const splitter = await TestSplitter.connect(appliance.url, S1);
  await splitter.attach(1, V1);
  expect(await appliance.control.pauseGroup({ group: G1 })).toMatchObject({ state: 'PAUSED' });
  await until(() => splitter.told.length === 1, 'the splitter was told');
  await splitter.attach(2, V2);
  await until(() => splitter.told.length === 2, 'the splitter was told of the second volume');
  expect(splitter.told).toEqual([
    { type: 'pause', handle: 1 },
    { type: 'pause', handle: 2 },
  ]);
  expect(await refusal(appliance.control.closePoint({ group: G1 }))).toBe('GROUP_PAUSED');

  await appliance.stop();
  appliance = await world.appliance('a1');
  const again = await TestSplitter.connect(appliance.url, S1);
  await again.attach(1, V1);
  await until(() => again.told.length === 1, 'told again');
  expect(await appliance.control.resumeGroup({ group: G1 })).toMatchObject({ state: 'ACTIVE' });
  await until(() => again.told.length === 2, 'told of the resumption');
  expect(again.told[1]).toEqual({ type: 'resume', handle: 1 });
});

test('images are served over NBD by point, by time and as the newest, read-only and byte for byte', async () => {
  const site = await world.site();
  const a1 = await world.appliance('a1');
  const a2 = await world.appliance('a2');
  const splitter = await TestSplitter.connect(a1.url, S1);
  const model = new VolumeModel();
  await splitter.attach(1, V1);
  const write = (count: number) => {
    for (let i = 0; i < count; i += 1) {
      const n = model.records.length + 1;
      const record = { offset: (n % 251) * 4096, data: block(n) };
      model.records.push(record);
      splitter.write(1, n, record.offset, record.data);
    }
  };
  const close = async (n: number, atMs: number) =>
    site.control.closePoint({
      group: G1,
      kind: 'demand',
      atMs,
      cuts: [{ volume: V1, session: 1, n }],
      leftOut: [],
      waitMs: 5_000,
    });
  write(300);
  const first = await close(300, Date.parse('2026-01-01T00:00:00Z'));
  write(300);
  await close(600, Date.parse('2026-01-01T00:10:00Z'));
  await until(
    async () => (await site.control.volumes({ volume: V1 })).volumes[0]?.appliedPosition === 600,
    'all is applied',
  );

  expect(await listNbdExports(a1.nbd)).toEqual(['v1@latest', 'v2@latest', 'v3@latest']);
  const contentOf = async (appliance: typeof a1, name: string) => {
    const client = await connectNbd(appliance.nbd, name);
    const parts: Buffer[] = [];
    for (let at = 0; at < SIZE_BYTES; at += 32 * 1024) parts.push(await client.read(at, 32 * 1024));
    expect(client.sizeBytes).toBe(SIZE_BYTES);
    await expect(client.write(0, block(1))).rejects.toThrow(/read-only|EPERM/);
    await client.disconnect();
    return Buffer.concat(parts);
  };
  const whole = (position: number) => model.at(position).toString('base64');
  expect((await contentOf(a1, 'v1@latest')).toString('base64')).toBe(whole(600));
  // Any appliance of the site can serve any point.
  expect((await contentOf(a2, `v1@${first.id}`)).toString('base64')).toBe(whole(300));
  expect((await contentOf(a1, 'v1@2026-01-01T00:09:59Z')).toString('base64')).toBe(whole(300));
  expect((await contentOf(a1, 'v1@2026-01-01T00:10:00.000Z')).toString('base64')).toBe(whole(600));
  for (const name of ['v1', 'v9@latest', 'v1@2025-01-01', 'v1@p999999999', 'v1@latest@x'])
    await expect(connectNbd(a1.nbd, name)).rejects.toBeInstanceOf(NbdRefused);
  // Nothing stays open: as many images as the site allows can be opened again and again.
  for (let i = 0; i < 70; i += 1) await (await connectNbd(a1.nbd, 'v1@latest')).disconnect();
});
