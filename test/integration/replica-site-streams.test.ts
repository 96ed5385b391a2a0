// What the replica site takes in from streams, and what it says is durable.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { IMAGE_READ_PATH } from '../../contracts/replica-site-api.js';
import {
  attemptRef,
  G1,
  G2,
  refusal,
  type RunningSite,
  S1,
  SiteWorld,
  SIZE_BYTES,
  until,
  V1,
  V2,
  V3,
  volumeOf,
} from './replica-site-fixture.js';
import { block, TestSplitter, VolumeModel } from './test-splitter.js';

const KIB = 1024;
/** Small beside what a test writes, so that it is reached. */
const UNAPPLIED_BYTES_MAX = 512 * KIB;
let world: SiteWorld;

beforeEach(() => {
  world = new SiteWorld();
});
afterEach(async () => world.stop());

async function readImage(site: RunningSite, image: string, offset = 0, length = SIZE_BYTES): Promise<Buffer> {
  const response = await fetch(`${site.url}${IMAGE_READ_PATH}?image=${image}&offset=${offset}&length=${length}`);
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

test('each record counts once, in order, by session, number and epoch', async () => {
  const site = await world.site();
  const splitter = await TestSplitter.connect(site.url, S1);
  expect(await splitter.attach(1, V1)).toMatchObject({ type: 'attached', session: 1, n: 0 });
  for (let n = 1; n <= 3; n += 1) splitter.write(1, n, 0, block(n));
  splitter.write(1, 2, 0, block(99));
  splitter.write(1, 4, 4096, block(4));
  await splitter.confirmed(1, 4);
  expect((await volumeOf(site)).durable).toMatchObject({ position: 4, session: 1, n: 4 });
  const { image } = await site.control.openImage({ volume: V1, client: 'test' });
  const content = await readImage(site, image, 0, 8192);
  expect(content).toEqual(Buffer.concat([block(3), block(4)]));

  splitter.write(1, 6, 0, block(6));
  expect(await splitter.refusedWith(1)).toBe('WRITE_GAP');
});

test('after a refusal the handle takes nothing until it is attached anew', async () => {
  const site = await world.site();
  const splitter = await TestSplitter.connect(site.url, S1);
  await splitter.attach(1, V1);
  splitter.write(1, 2, 0, block(2));
  splitter.write(1, 1, 0, block(1));
  expect(await splitter.refusedWith(1)).toBe('WRITE_GAP');
  expect(await splitter.attach(1, V1)).toMatchObject({ type: 'attached', n: 0 });
  expect((await volumeOf(site)).durable.position).toBe(0);
  splitter.write(1, 1, 0, block(1));
  await splitter.confirmed(1, 1);
});

test('an unknown volume, a wrong size, an old epoch or session is refused at attach', async () => {
  const site = await world.site();
  const splitter = await TestSplitter.connect(site.url, S1);
  expect(await splitter.attach(1, 'v9' as typeof V1)).toMatchObject({ code: 'VOLUME_NOT_FOUND' });
  expect(await splitter.attach(2, V1, { sizeBytes: 512 })).toMatchObject({ code: 'INVALID_REQUEST' });
  expect(await splitter.attach(4, V1, { session: 5 })).toMatchObject({ type: 'attached' });
  expect(await splitter.attach(5, V1, { session: 4 })).toMatchObject({
    code: 'STALE_SESSION',
    advice: { sessionMin: 6 },
  });
  // A splitter that knows a later epoch learned it from this site, which has lost it.
  expect(await splitter.attach(6, V1, { session: 6, epoch: 3, group: G2 })).toMatchObject({ type: 'attached' });
  expect(await splitter.attach(7, V1, { session: 6, epoch: 2 })).toMatchObject({
    code: 'EPOCH_MISMATCH',
    advice: { owner: { group: G2, epoch: 3 } },
  });
});

test('a write outside the volume is refused and does not count', async () => {
  const site = await world.site();
  const splitter = await TestSplitter.connect(site.url, S1);
  await splitter.attach(1, V1);
  splitter.write(1, 1, SIZE_BYTES - 4095, block(1));
  expect(await splitter.refusedWith(1)).toBe('INVALID_REQUEST');
  expect((await volumeOf(site)).durable.position).toBe(0);
});

test('a newer session begins where the older one ended, and the older one is refused from then on', async () => {
  const site = await world.site();
  const older = await TestSplitter.connect(site.url, S1);
  const newer = await TestSplitter.connect(site.url, S1);
  await older.attach(1, V1, { session: 1 });
  for (let n = 1; n <= 20; n += 1) older.write(1, n, 0, block(n));
  await older.confirmed(1, 1);
  expect(await newer.attach(1, V1, { session: 2 })).toMatchObject({ type: 'attached', session: 2, n: 0 });
  const { position } = (await volumeOf(site)).durable;
  older.write(1, position + 1, 0, block(200));
  expect(await older.refusedWith(1)).toBe('STALE_SESSION');
  newer.write(1, 1, 0, block(77), { session: 2 });
  await newer.confirmed(1, 1);
  expect((await volumeOf(site)).durable).toMatchObject({ position: position + 1, session: 2, n: 1 });
});

test('two streams of one session may bring the same records: each record counts once, and each stream is receipted or refused', async () => {
  const site = await world.site();
  const first = await TestSplitter.connect(site.url, S1);
  const second = await TestSplitter.connect(site.url, S1);
  await first.attach(1, V1);
  await second.attach(7, V1);
  for (let n = 1; n <= 50; n += 1) {
    first.write(1, n, 0, block(n));
    second.write(7, n, 0, block(n));
  }
  await until(
    () =>
      first.refusalOf(1) !== undefined ||
      second.refusalOf(7) !== undefined ||
      (first.receipt(1) >= 50 && second.receipt(7) >= 50),
    'both are answered',
  );
  const { durable } = await volumeOf(site);
  expect(durable.position).toBe(durable.n);
});

test('what was receipted survives kill -9, and sending goes on after what is durable', async () => {
  let site = await world.siteProcess();
  const model = new VolumeModel();
  let confirmedN = 0;
  for (let life = 0; life < 3; life += 1) {
    const splitter = await TestSplitter.connect(site.url, S1);
    const answer = await splitter.attach(1, V1);
    if (answer.type !== 'attached') throw new Error(answer.code);
    expect(answer.n).toBeGreaterThanOrEqual(confirmedN);
    model.records.length = answer.n;
    for (let n = answer.n + 1; n <= answer.n + 3_000; n += 1) {
      const record = { offset: (n % 200) * 4096, data: block(n) };
      model.records.push(record);
      splitter.write(1, n, record.offset, record.data);
    }
    await splitter.confirmed(1, answer.n + 100);
    await site.kill();
    confirmedN = splitter.receipt(1);
    site = await world.siteProcess();
  }
  const { durable } = await volumeOf(site);
  expect(durable.n).toBeGreaterThanOrEqual(confirmedN);
  const { image } = await site.control.openImage({ volume: V1, client: 'test' });
  await until(async () => (await volumeOf(site)).appliedPosition === durable.position, 'all is applied');
  const opened = await site.control.openImage({ volume: V1, client: 'test' });
  expect(opened.position).toBe(durable.position);
  expect((await readImage(site, opened.image)).equals(model.at(durable.position))).toBe(true);
  await site.control.closeImage({ image });
});

test('a point has exactly the writes up to its cuts, while distribution and writing go on', async () => {
  const site = await world.site();
  const splitter = await TestSplitter.connect(site.url, S1);
  const models = [new VolumeModel(), new VolumeModel()];
  await splitter.attach(1, V1);
  await splitter.attach(2, V2);
  const points: { id: string; ns: number[] }[] = [];
  for (let round = 1; round <= 20; round += 1) {
    for (let i = 0; i < 40; i += 1) {
      for (const [index, model] of models.entries()) {
        const n = model.records.length + 1;
        const record = { offset: ((n * 37 + index) % 250) * 4096, data: block(n + index * 100) };
        model.records.push(record);
        splitter.write(index + 1, n, record.offset, record.data);
      }
    }
    const ns = models.map((model) => model.records.length);
    const cuts = [V1, V2].map((volume, index) => ({ volume, session: 1, n: ns[index] ?? 0 }));
    const point = await site.control.closePoint({
      group: G1,
      kind: 'periodic',
      atMs: Date.now(),
      cuts,
      leftOut: [],
      waitMs: 5_000,
    });
    expect(point.members.map((member) => member.position)).toEqual(ns);
    points.push({ id: point.id, ns });
  }
  const { points: listed } = await site.control.listPoints({ group: G1 });
  expect(listed.map((point) => point.id)).toEqual(points.map((point) => point.id));
  for (const { id, ns } of points) {
    for (const [index, volume] of [V1, V2].entries()) {
      const { image, position } = await site.control.openImage({
        volume,
        point: id,
        client: 'test',
      });
      expect(position).toBe(ns[index]);
      expect((await readImage(site, image)).equals(models[index]?.at(position) ?? Buffer.alloc(0))).toBe(true);
      await site.control.closeImage({ image });
    }
  }
});

test('a point waits for what is on its way, and leaves out what does not come in time', async () => {
  const site = await world.site();
  const splitter = await TestSplitter.connect(site.url, S1);
  await splitter.attach(1, V1);
  await splitter.attach(2, V2);
  splitter.write(1, 1, 0, block(1));
  const closing = site.control.closePoint({
    group: G1,
    kind: 'demand',
    atMs: Date.now(),
    cuts: [{ volume: V1, session: 1, n: 2 }],
    leftOut: [],
    waitMs: 5_000,
  });
  splitter.write(1, 2, 0, block(2));
  expect((await closing).members).toMatchObject([{ volume: V1, position: 2 }]);
  const cuts = [
    { volume: V1, session: 1, n: 2 },
    { volume: V2, session: 1, n: 9 },
  ];
  const late = await site.control.closePoint({
    group: G1,
    kind: 'demand',
    atMs: Date.now(),
    cuts,
    leftOut: [],
    waitMs: 50,
  });
  expect(late.members).toMatchObject([{ volume: V1 }]);
  expect(late.leftOut).toContainEqual({ volume: V2, reason: 'behind' });
});

test('a volume is in no point between the start and the end of a short initialization, also after kill -9', async () => {
  let site = await world.siteProcess();
  let splitter = await TestSplitter.connect(site.url, S1);
  await splitter.attach(1, V1);
  splitter.write(1, 1, 0, block(1), { timeMs: 1_000 });
  await splitter.confirmed(1, 1);
  splitter.initBegin(1, 2, { sinceMs: 5_000 });
  splitter.write(1, 3, 0, block(3));
  await splitter.confirmed(1, 3);
  await site.kill();
  site = await world.siteProcess();
  const close = async (n: number) =>
    site.control.closePoint({
      group: G1,
      kind: 'demand',
      atMs: Date.now(),
      cuts: [{ volume: V1, session: 1, n }],
      leftOut: [],
      waitMs: 1_000,
    });
  expect((await close(3)).leftOut).toContainEqual({ volume: V1, reason: 'inconsistent' });
  expect((await close(1)).members).toMatchObject([{ volume: V1, position: 1 }]);
  expect(await refusal(site.control.openImage({ volume: V1, client: 'test' }))).toBe('POINT_UNAVAILABLE');
  expect((await volumeOf(site)).initializing).toBe(true);

  splitter = await TestSplitter.connect(site.url, S1);
  expect(await splitter.attach(1, V1, { over: 0 })).toMatchObject({ type: 'attached', initializing: true });
  splitter.initEnd(1, 4);
  await splitter.confirmed(1, 4);
  expect((await close(4)).members).toMatchObject([{ volume: V1, position: 4 }]);
  expect(await splitter.attach(1, V1, { over: 0 })).not.toHaveProperty('initializing');
  const { holes } = await site.control.listPoints({ volume: V1 });
  expect(holes).toMatchObject([{ volume: V1, fromPosition: 2, toPosition: 4, sinceMs: 1_000, reason: 'test' }]);
});

/** Sends `count` records, each as soon as it is granted, and waits for their receipts. */
async function writeWhenGranted(splitter: TestSplitter, handle: number, count: number): Promise<void> {
  let n = 0;
  await until(() => {
    for (; n < count && splitter.mayWrite(handle); n += 1) splitter.write(handle, n + 1, 0, block(n, 64 * KIB));
    return n === count;
  }, `credit for ${count} records under handle ${handle}`);
  await splitter.confirmed(handle, count);
}

test('a volume whose distribution stands still is granted no more than its limit, is named, and holds up no other', async () => {
  const site = await world.site({ unappliedBytesMax: UNAPPLIED_BYTES_MAX });
  const splitter = await TestSplitter.connect(site.url, S1);
  for (const [index, volume] of [V1, V2, V3].entries()) await splitter.attach(index + 1, volume);
  await site.control.setDistribution({ volume: V1, paused: true });
  let n = 0;
  await until(async () => {
    for (; splitter.mayWrite(1); n += 1) splitter.write(1, n + 1, 0, block(n, 64 * KIB));
    const { notes } = await site.control.health({});
    return notes.some((note) => note.includes(`volume "${V1}" has been accepted since`));
  }, 'health names the volume');
  await splitter.confirmed(1, n);
  expect((await volumeOf(site)).undistributedBytes).toBeLessThanOrEqual(UNAPPLIED_BYTES_MAX + 65 * KIB);
  await Promise.all([writeWhenGranted(splitter, 2, 64), writeWhenGranted(splitter, 3, 64)]);

  // A point does not wait for what can't come.
  const startedMs = performance.now();
  const { members, leftOut } = await site.control.closePoint({
    group: G1,
    kind: 'periodic',
    atMs: Date.now(),
    cuts: [
      { volume: V1, session: 1, n: n + 1 },
      { volume: V2, session: 1, n: 64 },
    ],
    leftOut: [],
    waitMs: 30_000,
  });
  expect(members.map(({ volume }) => volume)).toEqual([V2]);
  expect(leftOut).toContainEqual({ volume: V1, reason: 'behind' });
  expect(performance.now() - startedMs).toBeLessThan(20_000);

  await site.control.setDistribution({ volume: V1, paused: false });
  await until(() => splitter.mayWrite(1), 'the volume goes on');
  expect((await site.control.health({})).notes).toEqual([]);
});

test('a sender that ignores its credit is refused, that volume alone, and what the site holds stays within its limit', async () => {
  const site = await world.site({ unappliedBytesMax: UNAPPLIED_BYTES_MAX });
  const splitter = await TestSplitter.connect(site.url, S1);
  await splitter.attach(1, V1);
  await splitter.attach(2, V2);
  await site.control.setDistribution({ volume: V1, paused: true });
  for (let n = 1; n <= 64; n += 1) splitter.write(1, n, 0, block(n, 64 * KIB));
  splitter.write(2, 1, 0, block(1));
  expect(await splitter.refusedWith(1)).toBe('CREDIT_EXCEEDED');
  await splitter.confirmed(2, 1);
  const { durable } = await volumeOf(site);
  expect(durable.n).toBeLessThan(64);
  // Attaching again and again gives no more room than there is.
  for (let handle = 3; handle < 20; handle += 1) {
    const answer = await splitter.attach(handle, V1);
    if (answer.type !== 'attached') throw new Error(answer.code);
    for (let n = answer.n + 1; n <= answer.n + 16; n += 1) splitter.write(handle, n, 0, block(n, 64 * KIB));
    await splitter.refusedWith(handle);
  }
  expect((await volumeOf(site)).undistributedBytes).toBeLessThanOrEqual(UNAPPLIED_BYTES_MAX + 65 * KIB);
  await site.control.setDistribution({ volume: V1, paused: false });
  expect(await splitter.attach(1, V1)).toMatchObject({ type: 'attached' });
});

test('a write larger than the window passes when nothing else is on its way', async () => {
  const site = await world.site({ unappliedBytesMax: 256 * KIB });
  const splitter = await TestSplitter.connect(site.url, S1);
  await splitter.attach(1, V1);
  for (let n = 1; n <= 3; n += 1) {
    await until(() => splitter.mayWrite(1), `credit for write ${n}`);
    splitter.write(1, n, 0, block(n, SIZE_BYTES));
    await splitter.confirmed(1, n);
  }
  expect((await volumeOf(site)).durable.n).toBe(3);
});

test('open images are bounded', async () => {
  const site = await world.site({ openImagesMax: 2 });
  const open = async () => site.control.openImage({ volume: V1, client: 'test' });
  const { image } = await open();
  await open();
  expect(await refusal(open())).toBe('IMAGE_LIMIT');
  expect((await readImage(site, image, 0, 10)).equals(Buffer.alloc(10))).toBe(true);
});

test('an image that nobody reads is closed, which makes room for another', async () => {
  const site = await world.site({ openImagesMax: 1, imageIdleMsMax: 200 });
  const open = async () => site.control.openImage({ volume: V1, client: 'test' });
  const { image } = await open();
  await until(async () => (await refusal(open())) === 'not refused', 'a forgotten image is closed');
  const answer = await fetch(`${site.url}${IMAGE_READ_PATH}?image=${image}&offset=0&length=10`);
  expect(answer.status).toBe(404);
});

test('an attempt that was never opened has a verdict after it was resolved, and can not be opened any more', async () => {
  const site = await world.site();
  expect(await refusal(site.control.get(attemptRef(1)))).toBe('ATTEMPT_NOT_FOUND');
  expect(await site.control.resolve({ attempt: attemptRef(1) })).toMatchObject({ state: 'ABORTED' });
  const { volumes } = await site.control.volumes({ volume: V1 });
  const late = await site.control.open({
    attempt: attemptRef(1),
    volumes: [{ volume: V1, splitter: S1, epoch: volumes[0]?.epoch ?? 0 }],
    from: G1,
    to: G2,
    leaseMs: 1_000,
    deadlineAfterMs: 10_000,
  });
  expect(late.state).toBe('ABORTED');
});
