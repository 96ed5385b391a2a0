// Folders that come back older or empty, on real processes: replica and source end the same, or the
// state is loud and has a name, and a person's commands bring the volume back.
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import type { SplitterVolume } from '../../contracts/splitter-api.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import { heldOf, type Hole } from '../../contracts/point.js';
import { EXIT } from '../../client/cli/exit-code.js';
import { compareExports, withExport } from '../../estate/compare.js';
import { type Ran, runCommand } from '../support/cli.js';
import { createNamespace } from '../support/namespace.js';
import { estateOf, TestEstate } from '../support/test-estate.js';
import { PATIENCE_MS, until, untilTrue } from '../support/until.js';

const MIB = 1024 * 1024;
const REGION_BYTES = 64 * 1024;
const SIZE_MIB = 16;
const A = volumeIdSchema.parse('vm-1-disk-0');
const B = volumeIdSchema.parse('vm-2-disk-0');
const SITE = 'replica-site';
const HOST = 'host-1';

let estate: TestEstate;
let namespace: string;
/** Differs from one write to the next, so that no two states of a disk are the same by chance. */
let stamp = 0;
let holesBefore: ReadonlySet<string>;

beforeAll(async () => {
  const address = inject('temporalAddress');
  namespace = await createNamespace(address);
  estate = await TestEstate.start({
    estate: estateOf({
      groups: {
        'cg-gold': { appliance: 'appliance-1', volumes: [A, B] },
        'cg-silver': { appliance: 'appliance-2', volumes: ['vm-3-disk-0'] },
      },
      sizeMiB: SIZE_MIB,
    }),
    temporal: { address, namespace, uiUrl: undefined },
    environment: { VOLUME_MOVER_PROOF_WAIT_S: '5' },
  });
  await write(A, 0, 4 * MIB);
  await write(B, 0, 4 * MIB);
  await expectSame(A, B);
});
beforeEach(async () => {
  holesBefore = new Set([...(await holesOf(A)), ...(await holesOf(B))].map(nameOf));
});
afterAll(async () => estate.stop());

async function cli(...words: string[]): Promise<Ran> {
  return runCommand({ VOLUME_MOVER_ESTATE: estate.running.estateFile, USER: 'ada' }, words);
}

/** Writes as a guest does. */
async function write(volume: string, offset: number, length: number): Promise<void> {
  await withExport(await estate.source(volume), async (disk) => {
    for (let at = offset; at < offset + length; at += REGION_BYTES) {
      stamp += 1;
      const data = Buffer.alloc(Math.min(REGION_BYTES, offset + length - at), stamp % 251);
      data.writeUInt32BE(stamp);
      await disk.write(at, data);
    }
  });
}

/** Waits until each replica has everything, and compares it with its source. */
async function expectSame(...volumes: string[]): Promise<void> {
  expect(await differences(volumes)).toEqual([]);
}

async function differences(volumes: readonly string[]): Promise<string[]> {
  await estate.quiet(...volumes);
  const found: string[] = [];
  for (const volume of volumes) {
    const source = await estate.source(volume);
    const { differentBytes } = await until('an image of the newest position', PATIENCE_MS, async () =>
      compareExports(source, await estate.image(volume)).catch(() => undefined),
    );
    if (differentBytes > 0) found.push(`${volume}: ${differentBytes} bytes differ`);
  }
  return found;
}

async function view(volume = A): Promise<SplitterVolume> {
  return estate.client.volumes.splitterView(volume);
}

function folderOf(id: string): string {
  return join(estate.folder, id);
}

/** A copy of a process's folder, made while it is stopped. */
async function copied(id: string): Promise<string> {
  const copy = `${folderOf(id)}.copy`;
  await rm(copy, { recursive: true, force: true });
  await estate.process(id).stop();
  await cp(folderOf(id), copy, { recursive: true });
  await estate.process(id).start();
  return copy;
}

async function putBack(id: string, copy: string): Promise<void> {
  await rm(folderOf(id), { recursive: true, force: true });
  await cp(copy, folderOf(id), { recursive: true });
}

/** A hole of the volume that was not there before the test says why. */
async function expectHole(reason: RegExp, volume = A): Promise<void> {
  const holes = (await holesOf(volume)).filter((hole) => !holesBefore.has(nameOf(hole)));
  expect(holes.map((hole) => hole.reason).join('\n')).toMatch(reason);
  expect((await cli('points', volume, '--list', '--since', '10m')).stdout).toMatch(reason);
}

/** Points that were closed while the two were compared leave the volume out, if there are any. */
async function expectNoPointInHole(volume = A): Promise<void> {
  const { points, holes } = await estate.client.points.list({ volume });
  const isInside = (position: number): boolean =>
    holes.some(({ fromPosition, toPosition = Infinity }) => fromPosition <= position && position < toPosition);
  expect(points.map((point) => heldOf(point, volume)).filter(isInside)).toEqual([]);
}

async function holesOf(volume: typeof A): Promise<readonly Hole[]> {
  return (await estate.client.points.list({ volume })).holes;
}

/** A position may come again, in a journal that was put back; the time does not. */
function nameOf({ volume, fromPosition, sinceMs }: Hole): string {
  return `${volume} from ${fromPosition} since ${sinceMs}`;
}

async function healthOf(id: string): Promise<string> {
  const calls = id === HOST ? estate.splitter().calls : estate.appliance(id).calls;
  return (await calls.health({})).notes.join('\n');
}

test('(a) the site’s folder is put back to an older copy, and the splitter is restarted', async () => {
  const copy = await copied(SITE);
  await expectSame(A, B);
  await write(A, 2 * MIB, MIB);
  await expectSame(A);
  await estate.process(HOST).stop();
  await estate.process(SITE).stop();
  await putBack(SITE, copy);
  await estate.process(SITE).start();
  await estate.process(HOST).start();
  await expectSame(A, B);
  await expectHole(/up to position \d+ only, and had confirmed \d+/);
  await expectNoPointInHole();
});

test('(b) the same, while the splitter runs on: it is never SYNCED before the replica is like its source', async () => {
  const copy = await copied(SITE);
  await expectSame(A, B);
  await write(A, 3 * MIB, MIB);
  await expectSame(A);
  const { resentBytes } = await view();
  await estate.process(SITE).stop();
  await putBack(SITE, copy);
  await untilTrue('the mode says that nothing is confirmed', PATIENCE_MS, async () => (await view()).mode !== 'SYNCED');
  expect(await cli('volumes')).toMatchObject({ exitCode: EXIT.unreachable });
  expect(await healthOf(HOST)).not.toBe('');
  await estate.process(SITE).start();
  await expectSame(A, B);
  await expectHole(/up to position \d+ only, and had confirmed \d+/);
  // Only what differs crossed the link: 1 MiB of 16.
  expect((await view()).resentBytes - resentBytes).toBeLessThanOrEqual(MIB + 4 * REGION_BYTES);
});

test('(c) the site’s folder is emptied after a committed move: epochs, groups and tickets are taken over', async () => {
  await estate.move({ volume: A, to: 'cg-silver' });
  await expectSame(A);
  const before = await view();
  expect(before.route).toMatchObject({ group: 'cg-silver', epoch: 2 });
  await estate.process(SITE).stop();
  await rm(folderOf(SITE), { recursive: true });
  await estate.process(SITE).start();
  await expectSame(A, B);
  expect((await view()).route).toMatchObject({ group: 'cg-silver', epoch: 2 });
  await expectHole(/position 0 only|another history|had confirmed/);
  expect((await cli('points', A)).stdout).toMatch(/position 0 only|another history|had confirmed/);
  const [listed] = (await estate.client.volumes.list()).filter(({ volume }) => volume === A);
  expect(listed).toMatchObject({ group: 'cg-silver', epoch: 2 });
  await estate.move({ volume: A, to: 'cg-gold' });
  expect((await view()).route).toMatchObject({ group: 'cg-gold', epoch: 3 });
  await expectSame(A, B);
});

test('(d) one volume’s journal folder is deleted', async () => {
  await estate.process(SITE).stop();
  await rm(join(folderOf(SITE), 'volumes', A), { recursive: true });
  await estate.process(SITE).start();
  await expectSame(A, B);
  await expectHole(/up to position 0 only|another history/);
});

test('(e) the splitter’s folder is put back to an older copy', async () => {
  const copy = await copied(HOST);
  await expectSame(A, B);
  await write(A, 5 * MIB, MIB);
  await expectSame(A);
  await estate.process(HOST).stop();
  await putBack(HOST, copy);
  await estate.process(HOST).start();
  await expectSame(A, B);
  await expectHole(/another life of this splitter|not know|source was (changed|replaced)|source/);
});

test('(h) a source is changed in place while the splitter is stopped: compared, and only what differs is sent', async () => {
  await estate.process(HOST).stop();
  const path = join(folderOf(HOST), 'volumes', `${A}.img`);
  const disk = await readFile(path);
  disk.fill(0x5a, 7 * MIB, 7 * MIB + 3 * REGION_BYTES);
  await writeFile(path, disk, { flag: 'r+' });
  await estate.process(HOST).start();
  await expectSame(A, B);
  await expectHole(/changed while the splitter was stopped/);
  expect((await view()).resentBytes).toBeLessThanOrEqual(4 * REGION_BYTES);
});

test('(g) a source is deleted between two starts: refused, loudly, until a person decides', async () => {
  const path = join(folderOf(HOST), 'volumes', `${A}.img`);
  await estate.process(HOST).stop();
  const before = await readFile(path);
  await rm(path);
  await estate.process(HOST).start();
  expect((await view()).source.state).toBe('missing');
  await withExport(await estate.source(A), async (disk) => expect(disk.read(0, 4096)).rejects.toThrow('EIO'));
  expect(await healthOf(HOST)).toMatch(/volume-mover source recover vm-1-disk-0/);
  expect((await cli('volumes')).stdout).toContain('SOURCE MISSING');
  expect(await cli('resync', A)).toMatchObject({ exitCode: EXIT.refused });
  expect(await cli('source', 'accept', A)).toMatchObject({ exitCode: EXIT.refused });
  const nothing = await cli('source', 'recover', A, '--point', 'p999999999');
  expect(nothing.exitCode).toBe(EXIT.notFound);
  expect((await view()).source.state).toBe('missing');
  // From the replica.
  const recovered = await cli('source', 'recover', A, '--wait');
  expect(recovered, recovered.stderr).toMatchObject({ exitCode: EXIT.ok });
  expect((await readFile(path)).equals(before)).toBe(true);
  await expectSame(A, B);
  await expectHole(/the source was recovered from point p\d+ by ada/);
  expect(await cli('source', 'accept', A)).toMatchObject({ exitCode: EXIT.refused });
  // An empty one.
  await estate.process(HOST).stop();
  await rm(path);
  await estate.process(HOST).start();
  const blank = await cli('source', 'accept-blank', A, '--wait');
  expect(blank, blank.stderr).toMatchObject({ exitCode: EXIT.ok });
  await expectSame(A, B);
  expect((await readFile(path)).every((byte) => byte === 0)).toBe(true);
  await expectHole(/an empty disk was accepted by ada/);
  await estate.process(HOST).restart();
  expect((await view()).source.state).toBe('present');
  await write(A, 0, 4 * MIB);
  await expectSame(A, B);
});

test('(f) the splitter’s folder is lost: foreign, until it is recovered or accepted', async () => {
  await untilTrue('a point with both', PATIENCE_MS, async () => {
    const { points } = await estate.client.points.list({ group: (await view()).route.group });
    return points.at(-1)?.members.length === 2;
  });
  const before = await readFile(join(folderOf(HOST), 'volumes', `${A}.img`));
  await estate.process(HOST).stop();
  await rm(folderOf(HOST), { recursive: true });
  await estate.process(HOST).start();
  for (const volume of [A, B])
    await untilTrue('foreign', PATIENCE_MS, async () => (await view(volume)).source.state === 'foreign');
  await withExport(await estate.source(A), async (disk) => expect(disk.read(0, 4096)).rejects.toThrow('EIO'));
  expect(await healthOf(HOST)).toMatch(/volume-mover source recover vm-1-disk-0/);
  expect((await cli('volumes')).stdout).toContain('SOURCE FOREIGN');
  const recovered = await cli('source', 'recover', A, '--wait', '--reason', 'the host was replaced');
  expect(recovered, recovered.stderr).toMatchObject({ exitCode: EXIT.ok });
  expect((await readFile(join(folderOf(HOST), 'volumes', `${A}.img`))).equals(before)).toBe(true);
  const blank = await cli('source', 'accept-blank', B, '--wait');
  expect(blank, blank.stderr).toMatchObject({ exitCode: EXIT.ok });
  await expectSame(A, B);
  await expectHole(/the host was replaced/);
  await write(B, 0, MIB);
  await expectSame(B);
});

test('(k) the splitter’s folder is lost while the site is down: guests get errors, never zeroes, until a person decides', async () => {
  await write(A, 0, MIB);
  await expectSame(A, B);
  await untilTrue('a point with all of it', PATIENCE_MS, async () => {
    const [{ confirmed }, { points }] = await Promise.all([view(), estate.client.points.list({ volume: A })]);
    const member = points.at(-1)?.members.find(({ volume }) => volume === A);
    return member !== undefined && member.position === confirmed?.position;
  });
  const before = await readFile(join(folderOf(HOST), 'volumes', `${A}.img`));
  const refuses = async (state: string): Promise<void> => {
    expect((await view()).source.state).toBe(state);
    await withExport(await estate.source(A), async (disk) => {
      await expect(disk.read(0, 4096)).rejects.toThrow('EIO');
      await expect(disk.write(0, Buffer.alloc(4096))).rejects.toThrow('EIO');
    });
    expect(await healthOf(HOST)).toContain(`volume-mover source accept ${A}`);
  };
  await estate.process(HOST).kill();
  await rm(folderOf(HOST), { recursive: true });
  await estate.process(SITE).stop();
  await estate.process(HOST).start();
  await refuses('unproven');
  await estate.process(HOST).restart();
  await refuses('unproven');
  await estate.process(SITE).start();
  await untilTrue('foreign', PATIENCE_MS, async () => (await view()).source.state === 'foreign');
  await refuses('foreign');
  expect((await cli('volumes')).stdout).toContain('SOURCE FOREIGN');
  await estate.process(SITE).stop();
  await estate.process(HOST).kill();
  await estate.process(HOST).start();
  await refuses('foreign');
  await estate.process(SITE).start();
  for (const volume of [A, B])
    await untilTrue('it can be recovered', PATIENCE_MS, async () => {
      const { exitCode } = await cli('source', 'recover', volume, '--wait');
      return exitCode === EXIT.ok;
    });
  await withExport(await estate.source(A), async (disk) =>
    expect((await disk.read(0, MIB)).equals(before.subarray(0, MIB))).toBe(true),
  );
  expect((await readFile(join(folderOf(HOST), 'volumes', `${A}.img`))).equals(before)).toBe(true);
  await expectSame(A, B);
  // Proven by now: with the site away guests go on.
  await estate.process(SITE).stop();
  await estate.process(HOST).restart();
  await write(A, 2 * MIB, REGION_BYTES);
  await estate.process(SITE).start();
  await expectSame(A, B);
});

test('(i) both folders are put back', async () => {
  const splitterCopy = await copied(HOST);
  await expectSame(A, B);
  await write(A, 6 * MIB, MIB);
  await expectSame(A);
  const siteCopy = await copied(SITE);
  await expectSame(A, B);
  await write(A, 8 * MIB, MIB);
  await write(B, 8 * MIB, MIB);
  await expectSame(A, B);
  await estate.process(HOST).stop();
  await estate.process(SITE).stop();
  await putBack(SITE, siteCopy);
  await putBack(HOST, splitterCopy);
  await estate.process(SITE).start();
  await estate.process(HOST).start();
  await expectSame(A, B);
});

test('resync sends little when little differs, and ranges as they are; behind commands, a volume that is not here is named', async () => {
  const { resentBytes } = await view();
  const compared = await cli('resync', A, '--wait', '--reason', 'a drill');
  expect(compared, compared.stderr).toMatchObject({ exitCode: EXIT.ok });
  expect((await view()).resentBytes - resentBytes).toBe(0);
  await expectHole(/a resync was ordered by ada: a drill/);
  const sent = await cli('resync', A, '--ranges', `0:1,${MIB}:${2 * REGION_BYTES}`, '--wait', '--json');
  expect(sent, sent.stderr).toMatchObject({ exitCode: EXIT.ok });
  expect((await view()).resentBytes - resentBytes).toBe(3 * REGION_BYTES);
  expect(await cli('resync', A, '--ranges', `${SIZE_MIB * MIB}:1`)).toMatchObject({ exitCode: EXIT.usage });
  expect(await cli('resync', 'vm-9-disk-9')).toMatchObject({ exitCode: EXIT.notFound });
  await expectSame(A, B);
});

test('rebuild begins a new lineage, and the volume is compared by itself', async () => {
  const { confirmed } = await view();
  const rebuilt = await cli('rebuild', A, '--reason', 'a drill', '--json');
  expect(rebuilt, rebuilt.stderr).toMatchObject({ exitCode: EXIT.ok });
  await untilTrue('another lineage', PATIENCE_MS, async () => (await view()).confirmed?.lineage !== confirmed?.lineage);
  await expectSame(A, B);
  await expectHole(/another history|rebuild/);
  expect(await cli('rebuild', 'vm-9-disk-9')).toMatchObject({ exitCode: EXIT.notFound });
});

test('rebuild makes a journal usable that does not open, and the volume is compared by itself', async () => {
  const manifest = join(folderOf(SITE), 'volumes', A, 'manifest');
  await estate.process(SITE).stop();
  await rm(manifest);
  await mkdir(manifest);
  await estate.process(SITE).start();
  await untilTrue('the mode says that nothing is confirmed', PATIENCE_MS, async () => (await view()).mode !== 'SYNCED');
  await untilTrue('health names the file', PATIENCE_MS, async () => (await healthOf(HOST)).includes('EISDIR'));
  await write(A, 9 * MIB, MIB);
  const rebuilt = await cli('rebuild', A, '--reason', 'a drill', '--json');
  expect(rebuilt, rebuilt.stderr).toMatchObject({ exitCode: EXIT.ok });
  await expectSame(A, B);
  await expectHole(/rebuild|had confirmed|another history/);
  expect(await healthOf(HOST)).not.toContain('EISDIR');
});

test('(j) with its appliance stopped the mode says that nothing is confirmed, and so does health', async () => {
  await expectSame(A);
  const { appliance } = (await view()).route;
  await estate.process(appliance).stop();
  await untilTrue('the mode says so', PATIENCE_MS, async () => (await view()).mode !== 'SYNCED');
  expect((await view()).mode).toBe('UNCONFIRMED');
  expect(await healthOf(HOST)).toMatch(/No stream to appliance/);
  expect((await cli('volumes')).stdout).toContain('UNCONFIRMED');
  await estate.process(appliance).start();
  await expectSame(A, B);
});
