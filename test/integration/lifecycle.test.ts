// Volumes and groups come and go while everything runs: real processes, the command line, and
// guests that write.
import { cpSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { controlUrl } from '../../contracts/estate.js';
import { applianceIdSchema, groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { replicaSiteApi } from '../../contracts/replica-site-api.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import { addVolume, forgetVolume, growVolume } from '../../client/volumes/lifecycle.js';
import { MoverError } from '../../contracts/errors.js';
import { createHttpPorts } from '../../control/http-ports.js';
import { type Ports, splitterOf } from '../../control/ports.js';
import { createApiClient } from '../../control/client.js';
import { compareExports } from '../../estate/compare.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { connectNbd } from '../../nbd/client.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { TABLE_NAMES } from '../../simulator/replica-site/core/state.js';
import { openRowStore } from '../../simulator/store/row-store.js';
import { type Ran, runCommand } from '../support/cli.js';
import { PATIENCE_MS } from '../support/until.js';
import { type EstateFixture, startEstate } from './estate-fixture.js';

const HOST = splitterIdSchema.parse('host-1');
const SECOND = applianceIdSchema.parse('appliance-2');
const GOLD = groupIdSchema.parse('cg-gold');
const NEW_GROUP = groupIdSchema.parse('cg-new');
const MIB = 1024 * 1024;
const WAIT = { timeout: PATIENCE_MS };
let fixture: EstateFixture;
let client: MoverClient;

beforeAll(async () => {
  fixture = await startEstate({ withWorker: false });
  client = createMoverClient({ estate: fixture.running.estate });
});
afterAll(async () => fixture.stop());

/** A text that fits, typed as the text itself. */
const matching = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

const run = async (...words: string[]): Promise<Ran> =>
  runCommand({}, [...words, '--estate', fixture.running.estateFile]);

async function open(volume: string): Promise<NbdClient> {
  return connectNbd(await nbdAddressOf(fixture.running.process(HOST)), volume);
}

async function write(volume: string, byte: number): Promise<void> {
  const guest = await open(volume);
  await guest.write(MIB, Buffer.alloc(4_096, byte));
  await guest.disconnect();
}

async function membersOfNextPoint(group: typeof GOLD): Promise<string[]> {
  const point = await client.points.close({ group });
  return [...point.members.map(({ volume }) => volume), ...point.leftOut.map(({ volume }) => `${volume} left out`)];
}

/** The control APIs of both ends, to stop between two steps of a change. */
const splitter = () =>
  createApiClient(splitterApi, {
    baseUrl: controlUrl(fixture.running.estate.splitters[0]?.control ?? { host: '', port: 0 }),
  });
const site = () => createApiClient(replicaSiteApi, { baseUrl: controlUrl(fixture.running.estate.replicaSite.control) });

test('a volume that is added is served, protected and recoverable without a restart, and stays so over one', async () => {
  const words = [
    'volume',
    'add',
    'vm-9-disk-0',
    '--splitter',
    HOST,
    '--size-mib',
    '8',
    '--group',
    GOLD,
    '--vm',
    'vm-9',
  ];
  expect(await run(...words, '--dry-run')).toMatchObject({
    exitCode: 0,
    stdout: matching(/can be added/),
  });
  await expect(open('vm-9-disk-0')).rejects.toThrow(/no such export/);
  expect(await run(...words, '--wait')).toMatchObject({
    exitCode: 0,
    stdout: matching(/is served by host-1/),
  });
  expect(await run(...words, '--json')).toMatchObject({
    exitCode: 0,
    stdout: matching(/"changed":false/),
  });

  await write('vm-9-disk-0', 7);
  await waitUntilQuiet(client, { volume: volumeIdSchema.parse('vm-9-disk-0'), timeoutMs: PATIENCE_MS });
  await expect.poll(async () => membersOfNextPoint(GOLD), WAIT).toContain('vm-9-disk-0');
  for (const id of ['replica-site', 'appliance-1', HOST]) await fixture.running.process(id).restart();
  await write('vm-9-disk-0', 8);
  await waitUntilQuiet(client, { volume: volumeIdSchema.parse('vm-9-disk-0'), timeoutMs: PATIENCE_MS });
  const source = { address: await nbdAddressOf(fixture.running.process(HOST)), name: 'vm-9-disk-0' };
  const replica = { address: await nbdAddressOf(fixture.running.process('appliance-1')), name: 'vm-9-disk-0@latest' };
  expect(await compareExports(source, replica)).toMatchObject({ differentBytes: 0 });
});

test('a volume gets other names, by which it is listed from then on', async () => {
  const set = ['volume', 'set', 'vm-1-disk-0', '--label', 'app=mail', '--label', 'tier=gold'];
  expect(await run(...set, '--vm', 'vm-one', '--dry-run')).toMatchObject({ exitCode: 0, stdout: matching(/can be/) });
  expect(await client.volumes.list({ vm: 'vm-one' })).toEqual([]);
  expect(await run(...set, '--vm', 'vm-one')).toMatchObject({ exitCode: 0, stdout: matching(/is changed/) });
  const [listed] = await client.volumes.list({ labels: { tier: 'gold' } });
  expect(listed).toMatchObject({ volume: 'vm-1-disk-0', vm: 'vm-one', labels: { app: 'mail', tier: 'gold' } });
  expect(await run(...set)).toMatchObject({ exitCode: 0, stdout: matching(/Nothing to do/) });
  await run('volume', 'set', 'vm-1-disk-0', '--no-vm', '--no-labels');
  const bare = (await client.volumes.list()).find(({ volume }) => volume === 'vm-1-disk-0');
  expect([bare?.vm, bare?.labels]).toEqual([undefined, undefined]);
});

test('a change that names nothing is refused as a wrong command line', async () => {
  expect(await run('volume', 'set', 'vm-1-disk-0')).toMatchObject({
    exitCode: 2,
    stderr: matching(/name what changes: --vm/),
  });
  expect(await run('group', 'set', GOLD)).toMatchObject({ exitCode: 2, stderr: matching(/name what changes/) });
});

test('an addition is refused with every reason at once, and changes nothing', async () => {
  const refused = await run('volume', 'add', 'CG-Gold', '--splitter', HOST, '--size-mib', '8', '--group', 'cg-none');
  expect(refused.exitCode).toBe(3);
  expect(refused.stderr).toContain('"CG-Gold" has the name of group "cg-gold" (NAME_TAKEN)');
  expect(refused.stderr).toContain('there is no consistency group "cg-none" (GROUP_NOT_FOUND)');
  expect(refused.stderr).toMatch(/What to do: .*Choose another name/);
  const other = await run('volume', 'add', 'vm-2-disk-0', '--splitter', HOST, '--size-mib', '16', '--group', GOLD);
  expect(other).toMatchObject({
    exitCode: 3,
    stderr: matching(/is served here, and sent to group "cg-silver"/),
  });
});

test('an addition that died between the site and the splitter is finished by its repetition', async () => {
  const volume = volumeIdSchema.parse('vm-9-disk-1');
  await site().addVolume({ volume, splitter: HOST, sizeMiB: 8, group: GOLD });
  const order = { volume, splitter: HOST, sizeMiB: 8, group: GOLD };
  expect(await client.volumes.add(order)).toEqual({ changed: true, group: GOLD });
  expect(await client.volumes.add(order)).toEqual({ changed: false, group: GOLD });
  await write(volume, 1);
  await waitUntilQuiet(client, { volume, timeoutMs: PATIENCE_MS });
});

test('a volume is retired only when no guest has it open; then it is in no point and no listing, and its points open', async () => {
  const volume = volumeIdSchema.parse('vm-1-disk-1');
  await write(volume, 3);
  await waitUntilQuiet(client, { volume, timeoutMs: PATIENCE_MS });
  await expect.poll(async () => membersOfNextPoint(GOLD), WAIT).toContain(volume);
  const guest = await open(volume);
  const held = await run('volume', 'retire', volume);
  expect(held).toMatchObject({
    exitCode: 3,
    stderr: matching(/"vm-1-disk-1" cannot be retired: 1 connections of guests have/),
  });
  await guest.disconnect();
  await expect.poll(async () => (await run('volume', 'retire', volume, '--dry-run')).exitCode, WAIT).toBe(0);

  // The splitter stops; then the command dies. Its repetition ends what is left.
  await splitter().retireVolume({ volume });
  for (const id of [HOST, 'replica-site']) await fixture.running.process(id).restart();
  expect(await run('volume', 'retire', volume)).toMatchObject({
    exitCode: 0,
    stdout: matching(/is retired\. /),
  });
  expect(await run('volume', 'retire', volume)).toMatchObject({
    exitCode: 0,
    stdout: matching(/already/),
  });

  await expect(open(volume)).rejects.toThrow(/no such export/);
  // Right after the restarts a splitter may not be connected again.
  let members: string[] = [];
  const others = async (): Promise<string[]> => (members = await membersOfNextPoint(GOLD));
  await expect.poll(others, WAIT).toContain('vm-1-disk-0');
  expect(members.filter((name) => name.startsWith(volume))).toEqual([]);
  expect((await client.volumes.list()).map((listed) => listed.volume)).not.toContain(volume);
  const plan = await client.moves.plan({ volume, to: 'cg-silver' });
  expect(plan.reasons.map(({ code }) => code)).toContain('VOLUME_RETIRED');
  const image = await client.images.open({ volume });
  await client.images.close(image.id);
  const { owners } = await client.points.list({ volume });
  expect(owners.at(-1)?.toPosition).toBe(1);

  const { differences } = await client.estate.plan();
  expect(differences.find(({ subject }) => subject === volume)).toMatchObject({
    code: 'VOLUME_RETIRED',
    unprotected: true,
  });

  // The file still has it: it does not come back, and health says so.
  await fixture.running.process('replica-site').restart();
  expect((await site().health({})).notes).toContainEqual(
    expect.stringMatching(/"vm-1-disk-1" is in the estate file, but was retired/),
  );
  expect((await splitter().health({})).notes).toContainEqual(
    expect.stringMatching(/"vm-1-disk-1" is in the estate file, but was retired/),
  );
});

test('a retired volume is forgotten everywhere, by a second word, whatever kill -9 left of the first try; its name begins a new lineage', async () => {
  const volume = volumeIdSchema.parse('vm-9-disk-3');
  await client.volumes.add({ volume, splitter: HOST, sizeMiB: 8, group: GOLD });
  await write(volume, 5);
  await waitUntilQuiet(client, { volume, timeoutMs: PATIENCE_MS });
  const withVolume = async (): Promise<boolean> => (await membersOfNextPoint(GOLD)).includes(volume);
  await expect.poll(withVolume, WAIT).toBe(true);
  const { id: point } = await client.points.close({ group: GOLD, bookmark: 'audit', keep: 'forever' });
  const forget = async (...words: string[]): Promise<Ran> => run('volume', 'forget', volume, ...words);
  const confirmed = ['--confirm', volume];
  expect(await forget(...confirmed)).toMatchObject({ exitCode: 3, stderr: matching(/is not retired/) });
  await client.volumes.retire({ volume });
  expect(await forget('--confirm', 'vm-9-disk-4')).toMatchObject({ exitCode: 2 });
  const image = await client.images.open({ volume });
  const refused = await forget(...confirmed);
  expect(refused).toMatchObject({ exitCode: 3, stderr: matching(/1 images of volume "vm-9-disk-3" are open/) });
  expect(refused.stderr).toContain(`bookmark "audit" (point ${point} of group "cg-gold") contains it and is promised`);
  await client.images.close(image.id);
  await client.points.mark({ point, keep: 'policy' });
  expect(await forget(...confirmed, '--dry-run')).toMatchObject({ exitCode: 0, stdout: matching(/can be forgotten/) });

  const folder = fixture.running.process('replica-site').spec.dataFolder;
  const journal = join(folder, 'volumes', volume);
  const lineage = (): unknown => JSON.parse(readFileSync(join(journal, 'manifest'), 'utf8').split('\n')[0] ?? '');
  const before = lineage();
  cpSync(journal, `${journal}.copy`, { recursive: true });
  expect(await site().forgetVolume({ volume, confirm: volume })).toEqual({ changed: true });
  expect(existsSync(journal)).toBe(false);
  // What kill -9 leaves before the journal is gone: the row that says so, and a part of the folder.
  await fixture.running.process('replica-site').kill();
  await storeRow(join(folder, 'rows'), volume);
  renameSync(`${journal}.copy`, journal);
  rmSync(join(journal, 'manifest'));
  await fixture.running.process('replica-site').start();
  await expect.poll(async () => site().volumes({ volume }), WAIT).toBeDefined();
  await expect(site().openImage({ volume, position: 0, client: 'test' })).rejects.toThrow(/is being forgotten/);
  const anew = { volume, splitter: HOST, sizeMiB: 8, group: GOLD };
  await expect(client.volumes.add(anew)).rejects.toThrow(/is being forgotten, which did not end/);
  expect(await forget(...confirmed)).toMatchObject({ exitCode: 0, stdout: matching(/is forgotten/) });
  expect(await forget(...confirmed)).toMatchObject({ exitCode: 0, stdout: matching(/Nothing to do/) });
  expect(existsSync(journal)).toBe(false);
  await expect(client.points.list({ volume })).rejects.toThrow(/no volume "vm-9-disk-3"/);

  for (const id of [HOST, 'replica-site']) await fixture.running.process(id).restart('SIGKILL');
  expect(await client.volumes.add(anew)).toMatchObject({ changed: true });
  await write(volume, 6);
  await waitUntilQuiet(client, { volume, timeoutMs: PATIENCE_MS });
  expect(lineage()).not.toMatchObject({ lineage: (before as { lineage: unknown }).lineage });
  const { owners } = await client.points.list({ volume });
  expect(owners).toMatchObject([{ group: GOLD, epoch: 1, fromPosition: 0 }]);
  const source = { address: await nbdAddressOf(fixture.running.process(HOST)), name: volume };
  const replica = { address: await nbdAddressOf(fixture.running.process('appliance-1')), name: `${volume}@latest` };
  expect(await compareExports(source, replica)).toMatchObject({ differentBytes: 0 });
});

/** Puts the row of a volume that is being forgotten back, as the first step left it. */
async function storeRow(directory: string, volume: string): Promise<void> {
  const store = openRowStore({ directory, tables: TABLE_NAMES });
  const other = new Map(store.rows('volumes')).get('vm-2-disk-0') as object;
  const row = { ...other, volume, group: GOLD, retired: { atMs: 1 }, forgetting: true };
  store.commit([{ table: 'volumes', key: volume, value: row }]);
  await store.close();
}

test('a group is added, set and retired while everything runs, and closes points in between', async () => {
  expect(await run('group', 'add', NEW_GROUP, '--appliance', SECOND, '--point-every', '1s')).toMatchObject({
    exitCode: 0,
  });
  expect(await run('group', 'add', NEW_GROUP, '--appliance', SECOND, '--point-every', '1s')).toMatchObject({
    exitCode: 0,
    stdout: matching(/Nothing to do/),
  });
  const volume = volumeIdSchema.parse('vm-9-disk-2');
  await client.volumes.add({ volume, splitter: HOST, sizeMiB: 8, group: NEW_GROUP });
  await write(volume, 4);
  await waitUntilQuiet(client, { volume, timeoutMs: PATIENCE_MS });
  const lastPoint = async (): Promise<string | undefined> =>
    (await client.groups.list()).find(({ group }) => group === NEW_GROUP)?.lastPoint?.id;
  await expect.poll(lastPoint, WAIT).toBeDefined();

  expect(await run('group', 'set', NEW_GROUP, '--keep-all', '2h')).toMatchObject({ exitCode: 0 });
  const set = (await client.groups.list()).find(({ group }) => group === NEW_GROUP);
  expect(set).toMatchObject({ pointEveryMs: 1_000, retention: { keepAllMs: 7_200_000, hourlyMs: 86_400_000 } });
  const rpo = async (): Promise<number | undefined> =>
    (await client.groups.list()).find(({ group }) => group === NEW_GROUP)?.rpoMsMax;
  expect(await run('group', 'set', NEW_GROUP, '--rpo', '2m')).toMatchObject({ exitCode: 0 });
  expect(await rpo()).toBe(120_000);
  expect(await run('group', 'set', NEW_GROUP, '--no-rpo')).toMatchObject({ exitCode: 0 });
  expect(await rpo()).toBeUndefined();
  expect(await run('group', 'set', NEW_GROUP, '--appliance', 'appliance-1')).toMatchObject({
    exitCode: 3,
    stderr: matching(/cannot be changed: 1 volumes of group "cg-new" are protected through/),
  });
  expect(await run('group', 'retire', NEW_GROUP)).toMatchObject({
    exitCode: 3,
    stderr: matching(/owns 1 volumes/),
  });
  await client.volumes.retire({ volume });
  expect(await run('group', 'retire', NEW_GROUP)).toMatchObject({ exitCode: 0 });
  expect((await client.groups.list()).find(({ group }) => group === NEW_GROUP)?.state).toBe('RETIRED');
  const before = await client.points.list({ group: NEW_GROUP });
  expect(before.points.length).toBeGreaterThan(0);
  await expect(client.points.close({ group: NEW_GROUP })).rejects.toThrow(/retired/);
});

/** Ports whose splitter does something before it answers a call that adds a volume. */
function portsWith(before: (isDryRun: boolean) => Promise<void>): Ports {
  const ports = createHttpPorts(fixture.running.estate);
  const { calls, ...port } = splitterOf(ports, HOST);
  const addVolume: typeof calls.addVolume = async (input, options) => {
    await before(input.dryRun === true);
    return calls.addVolume(input, options);
  };
  return { ...ports, splitters: new Map([[HOST, { ...port, calls: { ...calls, addVolume } }]]) };
}

test('an added volume is sent through the appliance that its group has once the site took the volume in', async () => {
  const group = groupIdSchema.parse('cg-late');
  await client.groups.add({ group, appliance: applianceIdSchema.parse('appliance-1') });
  const volume = volumeIdSchema.parse('vm-9-disk-6');
  const ports = portsWith(async (isDryRun) => {
    if (isDryRun) await client.groups.set({ group, appliance: SECOND });
  });
  await addVolume(ports, { volume, splitter: HOST, sizeMiB: 8, group });
  expect((await client.volumes.splitterView(volume)).route.appliance).toBe(SECOND);
  expect((await client.estate.plan()).differences.map(({ code }) => code)).not.toContain('VOLUME_ROUTE');
});

test('an addition whose second step fails says what stands, and its repetition goes on', async () => {
  const order = { volume: volumeIdSchema.parse('vm-9-disk-4'), splitter: HOST, sizeMiB: 8, group: GOLD };
  const ports = portsWith(async (isDryRun) => {
    if (!isDryRun) throw new MoverError('STORAGE_FULL', 'The disk of the splitter is full.');
  });
  await expect(addVolume(ports, order)).rejects.toMatchObject({
    code: 'CHANGE_UNFINISHED',
    message: matching(/The replica site has volume "vm-9-disk-4", but splitter "host-1" does not serve it yet/),
    reasons: [{ code: 'STORAGE_FULL' }],
  });
  expect(await client.volumes.add(order)).toMatchObject({ changed: true });
});

test('a growth or a forgetting whose second step fails says what stands, and its repetition goes on', async () => {
  const volume = volumeIdSchema.parse('vm-9-disk-7');
  const ports = createHttpPorts(fixture.running.estate);
  const { calls, ...port } = splitterOf(ports, HOST);
  const unlessDry = (isDryRun: boolean | undefined): void => {
    if (isDryRun !== true) throw new MoverError('STORAGE_FULL', 'The disk of the splitter is full.');
  };
  const grow: typeof calls.growVolume = async (input) => {
    unlessDry(input.dryRun);
    return calls.growVolume(input);
  };
  const forget: typeof calls.forgetVolume = async (input) => {
    unlessDry(input.dryRun);
    return calls.forgetVolume(input);
  };
  const failing = {
    ...ports,
    splitters: new Map([[HOST, { ...port, calls: { ...calls, growVolume: grow, forgetVolume: forget } }]]),
  };
  const unfinished = (stands: RegExp): object => ({
    code: 'CHANGE_UNFINISHED',
    message: matching(stands),
    reasons: [{ code: 'STORAGE_FULL' }],
  });
  await client.volumes.add({ volume, splitter: HOST, sizeMiB: 8, group: GOLD });
  await waitUntilQuiet(client, { volume, timeoutMs: 20_000 });

  const growth = { volume, sizeMiB: 16 };
  await expect(growVolume(failing, growth)).rejects.toMatchObject(
    unfinished(/accepts 16 MiB of volume "vm-9-disk-7", but splitter "host-1" has not made its disk larger yet/),
  );
  expect(await client.volumes.grow(growth)).toEqual({ changed: true });
  await waitUntilQuiet(client, { volume, timeoutMs: 20_000 });

  await client.volumes.retire({ volume });
  const order = { volume, confirm: volume };
  await expect(forgetVolume(failing, order)).rejects.toMatchObject(
    unfinished(/has forgotten volume "vm-9-disk-7", but splitter "host-1" may still have its row/),
  );
  expect(await client.volumes.forget(order)).toEqual({ changed: true });
});

test('a change whose splitter is away ends as unreachable, and changes nothing', async () => {
  await fixture.running.process(HOST).stop();
  const words = ['vm-9-disk-5', '--splitter', HOST, '--size-mib', '8', '--group', GOLD];
  expect((await run('volume', 'add', ...words)).exitCode).toBe(4);
  await fixture.running.process(HOST).start();
  const missing = client.volumes.splitterView(volumeIdSchema.parse('vm-9-disk-5'));
  await expect(missing).rejects.toMatchObject({ code: 'VOLUME_NOT_FOUND' });
});
