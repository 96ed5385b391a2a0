// The replica site on a full disk, real processes and a real file system: guests notice nothing,
// nothing is lost, health says what is wanted, the process starts and serves what there is, and
// room alone heals it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import type { Health } from '../../contracts/health.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { replicaSiteApi } from '../../contracts/replica-site-api.js';
import type { Calls } from '../../contracts/route.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import { createApiClient } from '../../control/client.js';
import { compareExports, withExport } from '../../estate/compare.js';
import { type Guest, startGuest } from '../../estate/guest/guest.js';
import { createNamespace } from '../support/namespace.js';
import { SmallDisk } from '../support/small-disk.js';
import { estateOf, TestEstate } from '../support/test-estate.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';

const KIB = 1024;
const DISK_KIB = 24 * KIB;
const SIZE_MIB = 8;
/**
 * Guests write to these first blocks of their disks only: so the test decides when the disk is
 * full.
 */
const BLOCKS = 128;
const WRITES_PER_SECOND = 40;
const SITE = 'replica-site';
const GOLD = groupIdSchema.parse('cg-gold');
const SILVER = groupIdSchema.parse('cg-silver');
const VOLUMES = ['one', 'two', 'three'] as const;
const ONE = volumeIdSchema.parse('one');

let mountPoint: string;
let disk: SmallDisk;
let estate: TestEstate;
let site: Calls<typeof replicaSiteApi>;
let splitter: Calls<typeof splitterApi>;
const guests: Guest[] = [];

beforeEach(async () => {
  mountPoint = mkdtempSync(join(tmpdir(), 'vm-small-disk-'));
  disk = SmallDisk.mount(mountPoint, DISK_KIB);
  const address = inject('temporalAddress');
  estate = await TestEstate.start({
    estate: estateOf({
      groups: {
        [GOLD]: { appliance: 'appliance-1', volumes: ['one', 'two'] },
        [SILVER]: { appliance: 'appliance-2', volumes: ['three'] },
      },
      sizeMiB: SIZE_MIB,
    }),
    temporal: { address, namespace: await createNamespace(address) },
    prepare: (folder) => symlinkSync(mountPoint, join(folder, SITE)),
  });
  site = createApiClient(replicaSiteApi, { baseUrl: urlOf(estate.running.estate.replicaSite.control) });
  const [host] = estate.running.estate.splitters;
  if (host === undefined) throw new Error('an estate without a splitter');
  splitter = createApiClient(splitterApi, { baseUrl: urlOf(host.control) });
  for (const [seed, volume] of VOLUMES.entries()) {
    const { address: at } = await estate.source(volume);
    guests.push(await startGuest({ address: at, volume, seed, blocks: BLOCKS, writesPerSecond: WRITES_PER_SECOND }));
  }
});

afterEach(async () => {
  for (const guest of guests.splice(0)) await guest.abandon();
  await estate.stop();
  disk.unmount();
  rmSync(mountPoint, { recursive: true, force: true });
});

function urlOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `http://${host}:${port}`;
}

const health = async (): Promise<Health> => site.health({});
const pointsOf = async (group: typeof GOLD) => (await site.listPoints({ group })).points;
const whole = (points: Awaited<ReturnType<typeof pointsOf>>) => points.filter((point) => point.leftOut.length === 0);

async function untilFull(): Promise<string> {
  const said = async (): Promise<string | undefined> =>
    (await health()).notes.find((note) => note.includes('volumes is full since'));
  await untilTrue('health says that the disk is full', PATIENCE_MS, async () => (await said()) !== undefined);
  return (await said()) ?? '';
}

/** Guests write on, and none of their writes fails. */
async function expectGuestsGoOn(): Promise<void> {
  const before = guests.map((guest) => guest.log.acknowledged);
  await untilTrue('every guest writes on', PATIENCE_MS, async () =>
    guests.every((guest, i) => guest.log.acknowledged > (before[i] ?? 0) + WRITES_PER_SECOND),
  );
  expect(guests.map(({ reconnections }) => reconnections)).toEqual(VOLUMES.map(() => 0));
}

/** Points are closed again, with all members; replica = source; nobody says anything any more. */
async function expectHealed(): Promise<void> {
  const before = new Set((await Promise.all([GOLD, SILVER].map(pointsOf))).flat().map(({ id }) => id));
  for (const group of [GOLD, SILVER])
    await untilTrue(`points of ${group} contain all of it again`, PATIENCE_MS, async () =>
      whole(await pointsOf(group)).some(({ id }) => !before.has(id)),
    );
  for (const guest of guests) await guest.stop();
  await estate.quiet(...VOLUMES);
  for (const volume of VOLUMES) {
    const [{ mode, markedRegions } = { mode: '', markedRegions: -1 }] = (await splitter.inventory({ volume: volume }))
      .volumes;
    expect({ volume, mode, markedRegions }).toEqual({ volume, mode: 'SYNCED', markedRegions: 0 });
    expect(await compareExports(await estate.source(volume), await estate.image(volume))).toMatchObject({
      differentBytes: 0,
    });
  }
  await untilTrue('health is quiet', PATIENCE_MS, async () => (await health()).notes.length === 0);
  expect((await splitter.health({})).notes).toEqual([]);
}

test('filled by somebody else: intake stops cleanly, all that is there can be read, a start changes nothing, and room heals it', async () => {
  await untilTrue('points of everything', PATIENCE_MS, async () =>
    (await Promise.all([GOLD, SILVER].map(pointsOf))).every((points) => whole(points).length > 2),
  );
  const [point] = whole(await pointsOf(GOLD));
  if (point === undefined) throw new Error('no point');
  disk.fill();
  const note = await untilFull();
  expect(note).toMatch(
    new RegExp(
      `^The disk of .*/${SITE}/volumes is full since \\d{4}-.*Z: [\\d.]+ MiB are free, at least [\\d.]+ MiB are needed\\.`,
    ),
  );
  expect(note).toMatch(
    /\d volumes? \((one|two|three).*no new writes are accepted\. The splitter keeps them as marks: nothing is lost/,
  );
  expect(note).toMatch(/Make room on that disk: the site then goes on by itself\.$/);
  expect((await site.volumes({})).volumes.flatMap(({ stalls }) => stalls ?? [])).toContainEqual(
    expect.objectContaining({ part: 'intake', message: expect.stringMatching(/ENOSPC.*\.seg/) as unknown }),
  );
  await expectGuestsGoOn();
  expect((await splitter.health({})).notes.join('\n')).toMatch(/STORAGE_FULL/);

  const readPoint = async (): Promise<void> => {
    for (const volume of ['one', 'two'])
      await withExport(await estate.image(volume, point.id), async (client) => {
        expect((await client.read(0, BLOCKS * 4 * KIB)).length).toBe(BLOCKS * 4 * KIB);
      });
  };
  await readPoint();

  // Killed and started on the full disk, twice.
  for (let life = 0; life < 2; life += 1) {
    await estate.process(SITE).restart('SIGKILL');
    expect((await pointsOf(GOLD)).map(({ id }) => id)).toContain(point.id);
    expect((await site.inventory({})).volumes).toHaveLength(VOLUMES.length);
    expect((await site.volumes({})).volumes).toHaveLength(VOLUMES.length);
    await readPoint();
    await untilFull();
    await expectGuestsGoOn();
  }

  disk.empty();
  await expectHealed();
});

test('filled by its own history: a larger disk heals it', async () => {
  disk.fill(2 * KIB);
  await untilFull();
  await expectGuestsGoOn();
  execFileSync('mount', ['-o', `remount,size=${4 * DISK_KIB}k`, mountPoint]);
  await expectHealed();
});

test('a move on the full disk ends as before and says why, or waits and goes through once there is room', async () => {
  await untilTrue('points of everything', PATIENCE_MS, async () =>
    (await Promise.all([GOLD, SILVER].map(pointsOf))).every((points) => whole(points).length > 2),
  );
  disk.fill();
  await untilFull();
  await untilTrue('nothing more of the volume is taken in', PATIENCE_MS, async () => (await modeOf(ONE)) !== 'SYNCED');
  const impatient = estate.move({ volume: ONE, to: SILVER, options: { lagWaitMs: 1_000, attemptsMax: 1 } });
  await expect(impatient).rejects.toMatchObject({
    code: 'LAG_TOO_LARGE',
    message: expect.stringContaining('one is ') as unknown,
  });
  await expectOwner(ONE, GOLD, 1);
  await expectGuestsGoOn();

  const patient = await estate.client.moves.start({ volume: ONE, to: SILVER });
  await untilTrue('it waits', PATIENCE_MS, async () => {
    const { progress } = await estate.client.moves.get(patient.moveId);
    return progress?.stage === 'flush';
  });
  await expectGuestsGoOn();
  disk.empty();
  expect(await estate.reportOf(patient)).toMatchObject({ outcome: 'moved' });
  await expectOwner(ONE, SILVER, 2);
  await expectHealed();
});

async function modeOf(volume: string): Promise<string | undefined> {
  return (await splitter.inventory({ volume: volumeIdSchema.parse(volume) })).volumes[0]?.mode;
}

/** Site and splitter agree on the owner, and nothing of a move is left. */
async function expectOwner(volume: string, group: string, epoch: number): Promise<void> {
  const view = await estate.client.volumes.splitterView(volumeIdSchema.parse(volume));
  expect(view).toMatchObject({ volume, route: { group, epoch } });
  expect({ notice: view.notice, fence: view.fence }).toEqual({ notice: undefined, fence: undefined });
  const { volumes } = await site.volumes({});
  expect(volumes.find((row) => row.volume === volume)).toMatchObject({ group, epoch });
}
