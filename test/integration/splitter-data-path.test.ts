// A guest's writes through the splitter: marks first, numbers without gaps, every record at the
// site, and what happens when it can't be.
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NbdError } from '../../nbd/errors.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { describe, MIB, quiet, seeded, SIZE_BYTES, SplitterWorld, until, V1, V2 } from './splitter-fixture.js';

const KIB = 1024;
let world: SplitterWorld;

beforeEach(async () => {
  world = await new SplitterWorld().start();
});
afterEach(async () => world.stop());

/** The seed of the environment, or one by chance, which is printed. */
function chosenSeed(): number {
  const seed = Number(process.env['VOLUME_MOVER_SEED'] ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}: to repeat it, VOLUME_MOVER_SEED=${seed}`);
  return seed;
}

/** Overlapping writes, zeroes and trims of all sizes, many at a time. */
async function scribble(guest: NbdClient, random: () => number, operations: number): Promise<void> {
  const sizes = [512, 4 * KIB, 4 * KIB, 12 * KIB, 64 * KIB, 100 * KIB];
  const one = async (): Promise<void> => {
    const length = sizes[Math.floor(random() * sizes.length)] ?? 512;
    // A quarter of the volume, so that most overlap with something under way.
    const offset = Math.floor((random() * (SIZE_BYTES / 4 - length)) / 512) * 512;
    const kind = random();
    if (kind < 0.1) await guest.zeroes(offset, length, { noHole: kind < 0.05 });
    else if (kind < 0.2) await guest.trim(offset, length);
    else await guest.write(offset, Buffer.alloc(length, 1 + Math.floor(random() * 255)), { fua: random() < 0.02 });
  };
  for (let done = 0; done < operations; done += 32) await Promise.all(Array.from({ length: 32 }, one));
}

test('replaying the received records in order gives exactly the source file, whatever overlapped', async () => {
  const seed = chosenSeed();
  const splitter = await world.splitter();
  const [guest, other] = [await splitter.open(V1), await splitter.open(V1)];
  await Promise.all([scribble(guest, seeded(seed), 600), scribble(other, seeded(seed + 1), 600)]);
  await quiet(splitter, V1);

  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
  const trace = readFileSync(world.path(V1, 'trace'), 'utf8').trim().split('\n');
  expect(trace.map((line) => Number(line.split(' ')[1]))).toEqual(world.site.records(V1).map(({ n }) => n));
});

test('the mark of an unconfirmed write is still there after kill -9', async () => {
  world.first.confirms = false;
  const splitter = await world.splitterProcess();
  const guest = await splitter.open(V1);
  await guest.write(3 * MIB, Buffer.alloc(4 * KIB, 7));
  await splitter.kill();

  expect(world.source(V1).subarray(3 * MIB, 3 * MIB + 4 * KIB)).toEqual(Buffer.alloc(4 * KIB, 7));
  world.first.accepts = false;
  const again = await world.splitterProcess();
  expect(await describe(again, V1)).toMatchObject({
    markedRegions: 1,
    last: { session: 2 },
  });
});

test('kill -9 at any moment loses no acknowledged write, and the marks bring the replica up to the source', async () => {
  const seed = chosenSeed();
  const random = seeded(seed);
  const acknowledged = new Map<number, number>();
  const started = new Map<number, number>();
  for (let life = 1; life <= 3; life += 1) {
    const splitter = await world.splitterProcess();
    const guest = await splitter.open(V1);
    const writers = Array.from({ length: 16 }, async (_, writer) => {
      for (let value = life * 50; ; value += 1) {
        const block = writer * 64 + Math.floor(random() * 64);
        started.set(block, value % 251);
        try {
          await guest.write(block * 4 * KIB, Buffer.alloc(4 * KIB, value % 251));
        } catch {
          return;
        }
        acknowledged.set(block, value % 251);
        started.delete(block);
      }
    });
    await until(() => world.site.records(V1).length > life * 300, 'some hundred writes');
    await splitter.kill();
    await Promise.all(writers);
  }
  const source = world.source(V1);
  for (const [block, value] of acknowledged) if (!started.has(block)) expect(source[block * 4 * KIB]).toBe(value);

  const splitter = await world.splitterProcess();
  await quiet(splitter, V1);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(source)).toBe(true);
  expect(world.site.records(V1).filter(({ type }) => type === 'initBegin').length).toBeGreaterThan(0);
});

test('an orderly stop waits for receipts, so that the next life needs no initialization', async () => {
  const splitter = await world.splitterProcess();
  const guest = await splitter.open(V1);
  for (let block = 0; block < 64; block += 1) await guest.write(block * 64 * KIB, Buffer.alloc(4 * KIB, block + 1));
  await splitter.stop();
  expect(splitter.child.exitCode).toBe(0);
  const again = await world.splitterProcess();
  await until(async () => (await describe(again, V1)).connected, 'the volume is attached');
  expect(await describe(again, V1)).toMatchObject({ mode: 'SYNCED', markedRegions: 0, last: { session: 2, n: 0 } });
});

test('after the stream broke, unconfirmed records are sent again and confirmed ones are not', async () => {
  const splitter = await world.splitter();
  const guest = await splitter.open(V1);
  await guest.write(0, Buffer.alloc(4 * KIB, 1));
  await until(async () => (await describe(splitter, V1)).unconfirmedBytes === 0, 'the first is confirmed');
  world.first.accepts = false;
  for (let block = 1; block <= 20; block += 1) await guest.write(block * 4 * KIB, Buffer.alloc(4 * KIB, block));
  world.first.dropStreams();
  await until(() => world.first.streams === 0, 'the stream is down');
  world.first.accepts = true;
  await quiet(splitter, V1);

  expect(world.first.attaches).toBeGreaterThanOrEqual(2);
  expect(world.site.records(V1).map(({ n }) => n)).toEqual(Array.from({ length: 21 }, (_, i) => i + 1));
  expect(world.site.duplicates).toBe(0);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
});

test('an appliance that is gone costs the guest nothing: past the queue only marks are kept, then a short initialization follows', async () => {
  world.first.confirms = false;
  world.first.accepts = false;
  const splitter = await world.splitter({ limits: { queueMaxBytes: 256 * KIB } });
  const guest = await splitter.open(V1);
  await scribble(guest, seeded(5), 320);
  expect(await describe(splitter, V1)).toMatchObject({ mode: 'MARKS_ONLY' });
  world.first.confirms = true;
  world.first.accepts = true;
  world.first.dropStreams();
  await scribble(guest, seeded(6), 320);
  await quiet(splitter, V1);

  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
  const markers = world.site.records(V1).filter(({ type }) => type === 'initBegin' || type === 'initEnd');
  expect(markers.map(({ type }) => type).slice(0, 2)).toEqual(['initBegin', 'initEnd']);
  expect(markers[0]).toMatchObject({ reason: 'backlog full' });
});

test('a paused group is known by marks only until it is resumed', async () => {
  const splitter = await world.splitter();
  const guest = await splitter.open(V1);
  await guest.write(0, Buffer.alloc(4 * KIB, 1));
  await quiet(splitter, V1);
  world.first.say(V1, 'pause');
  await until(async () => (await describe(splitter, V1)).mode === 'MARKS_ONLY', 'the pause has arrived');
  await guest.write(MIB, Buffer.alloc(4 * KIB, 2));
  expect(world.site.records(V1)).toHaveLength(1);
  world.first.say(V1, 'resume');
  await quiet(splitter, V1);
  expect(world.site.records(V1).map(({ type }) => type)).toEqual(['write', 'initBegin', 'write', 'initEnd']);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
});

test('a refused volume says so in its notes, tries again, and forgets it when it is taken', async () => {
  const splitter = await world.splitter();
  await quiet(splitter, V1);
  world.first.refusal = 'NOT_OWNER';
  world.first.dropStreams();
  await until(
    async () => (await describe(splitter, V1)).notes.some((note) => note.includes('NOT_OWNER')),
    'a note about the refusal',
  );
  const guest = await splitter.open(V1);
  await guest.write(0, Buffer.alloc(4 * KIB, 1));
  world.first.refusal = undefined;
  await quiet(splitter, V1);
  expect((await describe(splitter, V1)).notes).toEqual([]);
});

test('a corrupt page of the bitmap marks the whole volume, says so, and the replica is brought up to the source', async () => {
  const splitter = await world.splitter();
  const guest = await splitter.open(V1);
  await guest.write(MIB, Buffer.alloc(4 * KIB, 9));
  await quiet(splitter, V1);
  await guest.disconnect();
  await splitter.stop();
  const fd = openSync(world.path(V1, 'marks'), 'r+');
  writeSync(fd, Buffer.from([0xff]), 0, 1, 3);
  closeSync(fd);

  world.first.accepts = false;
  const again = await world.splitter();
  expect(await describe(again, V1)).toMatchObject({
    markedRegions: 64,
    notes: [expect.stringContaining('checksum') as string],
  });
  world.first.accepts = true;
  world.first.dropStreams();
  await quiet(again, V1);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
});

test('a lost bitmap of a written volume marks all of it; a volume that was never written needs none', async () => {
  const splitter = await world.splitter();
  const guest = await splitter.open(V1);
  await guest.write(MIB, Buffer.alloc(4 * KIB, 9));
  await quiet(splitter, V1);
  await guest.disconnect();
  await splitter.stop();
  expect(existsSync(world.path(V2, 'marks'))).toBe(false);
  rmSync(world.path(V1, 'marks'));

  world.first.accepts = false;
  const again = await world.splitter();
  expect(await describe(again, V1)).toMatchObject({ markedRegions: 64 });
  expect(await describe(again, V2)).toMatchObject({ markedRegions: 0, mode: 'SYNCED', notes: [] });
});

test('reads see what was written, zeroes and holes included, and zeroing a hole allocates nothing', async () => {
  const splitter = await world.splitter();
  const guest = await splitter.open(V1);
  expect((await guest.read(0, SIZE_BYTES)).equals(Buffer.alloc(SIZE_BYTES))).toBe(true);
  await guest.zeroes(0, SIZE_BYTES);
  await guest.write(100 * KIB, Buffer.alloc(200 * KIB, 5));
  await guest.zeroes(150 * KIB, 30 * KIB);
  const expected = Buffer.alloc(SIZE_BYTES);
  expected.fill(5, 100 * KIB, 300 * KIB);
  expected.fill(0, 150 * KIB, 180 * KIB);
  expect((await guest.read(0, SIZE_BYTES)).equals(expected)).toBe(true);
  await guest.flush();
  await quiet(splitter, V1);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(expected)).toBe(true);
  const { blocks } = statSync(world.path(V1, 'img'));
  expect(blocks * 512).toBeLessThan(400 * KIB);
});

test('with data sync on, every write is still numbered in the order in which it reached the source', async () => {
  const splitter = await world.splitter({ sync: true });
  const guest = await splitter.open(V1);
  await scribble(guest, seeded(11), 160);
  await quiet(splitter, V1);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
});

test('without its mark stored a write is refused and the source stays as it was', async () => {
  const splitter = await world.splitter();
  const guest = await splitter.open(V1);
  // The bitmap's draft can't be made where a folder is.
  mkdirSync(`${world.path(V1, 'marks')}.new`);
  await expect(guest.write(0, Buffer.alloc(4 * KIB, 1))).rejects.toThrow(NbdError);
  expect(await describe(splitter, V1)).toMatchObject({
    mode: 'SYNCED',
    notes: [expect.stringContaining('EISDIR') as string],
  });
  expect(existsSync(world.path(V1, 'img'))).toBe(false);
  rmdirSync(`${world.path(V1, 'marks')}.new`);
  await guest.write(0, Buffer.alloc(4 * KIB, 2));
  await quiet(splitter, V1);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
  // Nothing of the refused write was done, so that nothing has to be sent again.
  expect(world.site.records(V1).map(({ type }) => type)).toEqual(['write']);
  expect((await describe(splitter, V1)).notes).toEqual([]);
});

test('a source that can not be written fails the write, and its region is sent again when it can be read', async () => {
  const splitter = await world.splitter();
  const guest = await splitter.open(V1);
  mkdirSync(world.path(V1, 'img'));
  await expect(guest.write(0, Buffer.alloc(4 * KIB, 1))).rejects.toThrow(NbdError);
  expect(await describe(splitter, V1)).toMatchObject({ markedRegions: 1 });
  rmdirSync(world.path(V1, 'img'));
  await guest.write(64 * KIB, Buffer.alloc(4 * KIB, 2));
  await quiet(splitter, V1);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
  expect(world.site.records(V1)[0]).toMatchObject({ type: 'initBegin', reason: 'source write failed' });
});

test('a splitter that comes back synced, while the replica site waits for the end of a short initialization, sends it', async () => {
  const first = await world.splitter();
  await (await first.open(V1)).write(0, Buffer.alloc(4 * KIB, 7));
  await quiet(first, V1);
  await first.stop();
  world.site.initializing.add(V1);
  const before = world.site.records(V1).length;
  const splitter = await world.splitter();
  await until(() => !world.site.initializing.has(V1), 'the end has arrived');
  await until(async () => (await describe(splitter, V1)).mode === 'SYNCED', 'the volume is synced');
  expect(
    world.site
      .records(V1)
      .slice(before)
      .map(({ type }) => type),
  ).toEqual(['initBegin', 'initEnd']);
  expect(world.site.violations).toEqual([]);
});
