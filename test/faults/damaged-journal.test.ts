// Damaged files of a real replica site under a real splitter: writes go on, what needs the damaged
// bytes is refused, and people are told.
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DigestRun, VERIFY_REGION_BYTES } from '../../contracts/verify.js';
import { connectNbd } from '../../nbd/client.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import {
  G1,
  refusal,
  type RunningAppliance,
  type RunningSite,
  S1,
  SiteWorld,
  SIZE_BYTES,
  until,
  V1,
} from '../integration/replica-site-fixture.js';
import { splitterOn } from '../integration/splitter-on.js';
import { block, TestSplitter } from '../integration/test-splitter.js';

const BLOCK_BYTES = 4096;
const KEY = 'k'.repeat(43);
let world: SiteWorld;

beforeEach(() => {
  world = new SiteWorld();
});
afterEach(async () => world.stop());

function journalFile(name: string): string {
  return join(world.folder, 'site', 'volumes', V1, name);
}

/** Flips one bit of the file, `within` bytes after where `content` begins in it. */
function flip(file: string, content: Buffer, within: number): void {
  const bytes = readFileSync(file);
  const at = bytes.indexOf(content);
  expect(at).toBeGreaterThanOrEqual(0);
  bytes.writeUInt8(bytes.readUInt8(at + within) ^ 1, at + within);
  writeFileSync(file, bytes);
}

async function protectedGuest(appliance: RunningAppliance) {
  const { control, guest: connect } = await splitterOn(world, appliance);
  const guest = await connect();
  const quiet = async () =>
    until(async () => {
      const [volume] = (await control.inventory({ volume: V1 })).volumes;
      return volume?.mode === 'SYNCED' && volume.unconfirmedBytes === 0 && volume.markedRegions === 0;
    }, 'the volume is quiet');
  return { guest, quiet, control };
}

function lineageOf(): { readonly id: string; readonly parent?: { readonly id: string } } {
  const [text = ''] = readFileSync(journalFile('manifest'), 'utf8').split('\n');
  return (JSON.parse(text) as { lineage: { id: string; parent?: { id: string } } }).lineage;
}

async function expectReplicaIsSource(guest: NbdClient, appliance: RunningAppliance): Promise<void> {
  await until(async () => (await appliance.control.lag({ volume: V1 })).undistributedBytes === 0, 'all is applied');
  const image = await connectNbd(appliance.nbd, `${V1}@latest`);
  expect((await image.read(0, SIZE_BYTES)).equals(await guest.read(0, SIZE_BYTES))).toBe(true);
  await image.disconnect();
}

/** Opens the volume at the point and reads its first block, as long as nothing refuses that. */
async function firstBlockAt(site: RunningSite, appliance: RunningAppliance, point: string): Promise<Buffer> {
  const opened = await site.control.openImage({ volume: V1, point, client: 'test' });
  await site.control.closeImage({ image: opened.image });
  const image = await connectNbd(appliance.nbd, `${V1}@${point}`);
  const bytes = await image.read(0, BLOCK_BYTES);
  await image.disconnect();
  return bytes;
}

test('a flipped bit of old UNDO costs the points that need it; writes go on and stay protected', async () => {
  let site = await world.siteProcess();
  const appliance = await world.appliance('a1');
  const { guest, quiet } = await protectedGuest(appliance);
  const points: string[] = [];
  for (const content of [11, 22, 33]) {
    await guest.write(0, block(content));
    await quiet();
    points.push((await appliance.control.closePoint({ group: G1 })).id);
  }
  await guest.write(BLOCK_BYTES, block(44));
  await quiet();
  await site.stop();
  flip(journalFile('undo-0000000001.seg'), block(11), 100);
  site = await world.siteProcess();

  await guest.write(2 * BLOCK_BYTES, block(55));
  await quiet();
  await expectReplicaIsSource(guest, appliance);
  const [needing = '', ...others] = points;
  await until(
    async () => (await refusal(firstBlockAt(site, appliance, needing))) === 'POINT_DAMAGED',
    'the point that needs the damaged bytes is refused',
  );
  for (const [index, point] of others.entries())
    expect((await firstBlockAt(site, appliance, point)).equals(block(index === 0 ? 22 : 33))).toBe(true);
  const { notes } = await site.control.health({});
  expect(notes).toContainEqual(expect.stringMatching(new RegExp(`"${V1}".*volume-mover points ${V1}`)));
});

test("a replica site that lost a volume's whole journal gets all of it again, and goes on from there", async () => {
  let site = await world.siteProcess();
  const appliance = await world.appliance('a1');
  const { guest, quiet } = await protectedGuest(appliance);
  for (let n = 0; n < 40; n += 1) await guest.write(n * 3 * BLOCK_BYTES, block(n + 1));
  await quiet();
  const { id: lost, members } = await appliance.control.closePoint({ group: G1 });
  await site.stop();
  rmSync(join(world.folder, 'site', 'volumes', V1), { recursive: true });
  site = await world.siteProcess();

  await guest.write(BLOCK_BYTES, block(99));
  await quiet();
  await expectReplicaIsSource(guest, appliance);
  const { points } = await site.control.listPoints({ group: G1 });
  const left = points.find(({ id }) => id === lost);
  expect(left?.members.map(({ volume }) => volume)).not.toContain(V1);
  expect(left?.leftOut).toContainEqual({ volume: V1, reason: 'lost' });
  // Compared, and not just sent: half of the volume was never written, and is the same.
  const before = members.find(({ volume }) => volume === V1)?.position ?? 0;
  const { image, position } = await site.control.openImage({ volume: V1, client: 'test' });
  await site.control.closeImage({ image });
  expect(position - before).toBeLessThan(SIZE_BYTES / VERIFY_REGION_BYTES);
  const { id } = await appliance.control.closePoint({ group: G1 });
  expect((await firstBlockAt(site, appliance, id)).equals(block(1))).toBe(true);
});

test('a replica image without its checksums, of a volume whose history is there, is compared and sent again by itself', async () => {
  let site = await world.siteProcess();
  const appliance = await world.appliance('a1');
  const { guest, quiet } = await protectedGuest(appliance);
  for (let n = 0; n < 40; n += 1) await guest.write(n * 3 * BLOCK_BYTES, block(n + 1));
  await quiet();
  await site.stop();
  rmSync(journalFile('replica.sum'));
  site = await world.siteProcess();

  await guest.write(BLOCK_BYTES, block(99));
  await quiet();
  await expectReplicaIsSource(guest, appliance);
  const { notes } = await site.control.health({});
  expect(notes.filter((note) => note.includes('fail their checksum'))).toEqual([]);
});

/** Waits until health no longer tells of the damage; then the replica must be as the source. */
async function expectHealed(site: RunningSite, guest: NbdClient, appliance: RunningAppliance): Promise<void> {
  await until(async () => {
    const { notes } = await site.control.health({});
    return !notes.some((note) => note.includes('fail their checksum'));
  }, 'health no longer tells of the damage');
  await expectReplicaIsSource(guest, appliance);
}

test('a flipped bit of the replica image that a read finds while the site runs is compared and sent again by itself', async () => {
  const site = await world.siteProcess();
  const appliance = await world.appliance('a1');
  const { guest, quiet, control } = await protectedGuest(appliance);
  const points: string[] = [];
  for (const content of [11, 22]) {
    await guest.write(0, block(content));
    await guest.write(BLOCK_BYTES, block(content + 1));
    await quiet();
    points.push((await appliance.control.closePoint({ group: G1 })).id);
  }
  await guest.write(0, block(33));
  await quiet();
  points.push((await appliance.control.closePoint({ group: G1 })).id);
  const resentBefore = (await control.inventory({ volume: V1 })).volumes[0]?.resentBytes ?? 0;
  // Of the second block: what the newest two points have of it is damaged, the oldest finds it in
  // UNDO.
  flip(journalFile('replica.img'), block(23), 100);
  const image = await connectNbd(appliance.nbd, `${V1}@latest`);
  await expect(image.read(0, SIZE_BYTES)).rejects.toMatchObject({ code: 'EIO' });
  await image.disconnect();
  await until(
    async () => ((await control.inventory({ volume: V1 })).volumes[0]?.resentBytes ?? 0) > resentBefore,
    'what is damaged is sent again',
  );
  await quiet();
  await expectHealed(site, guest, appliance);
  // Nothing else crossed the link.
  expect(((await control.inventory({ volume: V1 })).volumes[0]?.resentBytes ?? 0) - resentBefore).toBe(
    VERIFY_REGION_BYTES,
  );
  const { holes } = await site.control.listPoints({ volume: V1 });
  expect(holes.map(({ reason }) => reason)).toEqual([expect.stringContaining('fail their checksum')]);
  const [oldest = '', ...needing] = points;
  expect((await firstBlockAt(site, appliance, oldest)).equals(block(11))).toBe(true);
  for (const point of needing)
    await until(
      async () => (await refusal(firstBlockAt(site, appliance, point))) === 'POINT_DAMAGED',
      'a point that needs the damaged bytes is refused',
    );
  // A new point has all.
  const { id } = await appliance.control.closePoint({ group: G1 });
  expect((await firstBlockAt(site, appliance, id)).equals(block(33))).toBe(true);
});

test('a flipped bit that distribution finds under a write of part of its block is healed by itself', async () => {
  const site = await world.siteProcess();
  const appliance = await world.appliance('a1');
  const { guest, quiet } = await protectedGuest(appliance);
  await guest.write(0, block(11));
  await quiet();
  flip(journalFile('replica.img'), block(11), 100);
  await guest.write(2048, block(22).subarray(0, 1024));
  await until(
    async () => (await site.control.listPoints({ volume: V1 })).holes.some((hole) => hole.toPosition !== undefined),
    'the volume was compared',
  );
  await quiet();
  await expectHealed(site, guest, appliance);
});

test.each([
  ['is gone', (file: string) => rmSync(file)],
  ['was cut short', (file: string) => truncateSync(file, 5 * BLOCK_BYTES + 17)],
])('a replica image that %s while its sums stay is found at the opening, and sent again', async (_, harm) => {
  let site = await world.siteProcess();
  const appliance = await world.appliance('a1');
  const { guest, quiet } = await protectedGuest(appliance);
  for (let n = 0; n < 40; n += 1) await guest.write(n * 3 * BLOCK_BYTES, block(n + 1));
  await quiet();
  await site.stop();
  harm(journalFile('replica.img'));
  site = await world.siteProcess();
  await guest.write(0, block(99));
  await quiet();
  await expectHealed(site, guest, appliance);
});

test('a rebuild begins one lineage, and the log tells of a wish and not of a failure', async () => {
  const lines: string[] = [];
  const site = await world.site({}, pino({ level: 'warn' }, { write: (line: string) => lines.push(line) }));
  const appliance = await world.appliance('a1');
  const { guest, quiet } = await protectedGuest(appliance);
  await guest.write(0, block(11));
  await quiet();
  const { id: before } = lineageOf();
  const { lineage } = await site.control.rebuild({ volume: V1, operator: 'ada' });
  expect(lineageOf()).toMatchObject({ id: lineage, parent: { id: before } });
  await quiet();
  await expectReplicaIsSource(guest, appliance);
  expect(lineageOf().id).toBe(lineage);
  const { holes } = await site.control.listPoints({ volume: V1 });
  expect(holes.map(({ reason }) => reason)).toEqual([expect.stringMatching(/^a rebuild .* was ordered by ada$/)]);
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['a rebuild of a journal is ordered']);
});

test('regions of a damaged replica have no digest, the others have theirs, and nothing fails', async () => {
  const site = await world.site();
  const splitter = await TestSplitter.connect(site.url, S1);
  await splitter.attach(1, V1);
  for (const n of [1, 2, 3]) splitter.write(1, n, (n - 1) * VERIFY_REGION_BYTES, block(n));
  await splitter.confirmed(1, 3);
  const open = async () =>
    site.control.openMarkImage({
      volume: V1,
      mark: { session: 1, n: 3 },
      waitMs: 5_000,
      client: 'test',
      evenInHole: true,
      key: KEY,
    });
  const digests = async (): Promise<readonly DigestRun[]> => {
    const { image } = await open();
    const answer = await site.control.digestImage({ image, from: 0, count: SIZE_BYTES / VERIFY_REGION_BYTES });
    await site.control.closeMarkImage({ image });
    return answer.digests;
  };
  const sound = await digests();
  expect(sound).not.toContain(null);
  flip(journalFile('replica.img'), block(2), 7);
  expect(await digests()).toEqual(sound.map((digest, region) => (region === 1 ? null : digest)));
});
