// `estate apply` on real processes: what runs becomes what the file says, without a restart, and
// after a kill at any step.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EstateApplied } from '../../client/declaration/apply-estate.js';
import { readEstateFile } from '../../client/estate-file.js';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { controlUrl, type Estate, type EstateInput, estateSchema } from '../../contracts/estate.js';
import { groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { replicaSiteApi } from '../../contracts/replica-site-api.js';
import { createApiClient } from '../../control/client.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { PROJECT_FOLDER } from '../../estate/project.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { connectNbd } from '../../nbd/client.js';
import { volumeFilesIn } from '../../simulator/splitter/files/volume-files.js';
import { type Ran, runCommand } from '../support/cli.js';
import { PATIENCE_MS } from '../support/until.js';
import { type EstateFixture, startEstate } from './estate-fixture.js';

const HOST = splitterIdSchema.parse('host-1');
const NEW = groupIdSchema.parse('cg-new');
const VOLUME = volumeIdSchema.parse('vm-9-disk-0');
const MIB = 1024 * 1024;
type FileVolume = EstateInput['splitters'][number]['volumes'][number];
let fixture: EstateFixture;
let client: MoverClient;

beforeAll(async () => {
  fixture = await startEstate({ withWorker: false });
  client = createMoverClient({ estate: fixture.running.estate });
});
afterAll(async () => fixture.stop());

const run = async (...words: string[]): Promise<Ran> =>
  runCommand({}, [...words, '--estate', fixture.running.estateFile]);

/** The replica site's control API, to stop between two parts of a step. */
const site = () => createApiClient(replicaSiteApi, { baseUrl: controlUrl(fixture.running.estate.replicaSite.control) });

/** The estate that runs, with other volumes at its host and further groups. */
function declared(volumes: (before: FileVolume[]) => FileVolume[], groups: EstateInput['groups'] = []): Estate {
  const { estate } = fixture.running;
  const splitters = estate.splitters.map((splitter) => ({ ...splitter, volumes: volumes([...splitter.volumes]) }));
  return estateSchema.parse({ ...estate, splitters, groups: [...estate.groups, ...groups] });
}

/** Writes a declaration as a file of its own. @returns its path */
function written(declaration: Estate): string {
  const path = join(fixture.folder, 'declaration.json');
  writeFileSync(path, JSON.stringify(declaration));
  return path;
}

const NEW_GROUP = { id: 'cg-new', appliance: 'appliance-2', pointEveryMs: 500 };
const NEW_VOLUMES: FileVolume[] = [
  { id: 'vm-9-disk-0', sizeMiB: 8, group: 'cg-new', vm: 'vm-9', labels: { app: 'mail' } },
  { id: 'vm-9-disk-1', sizeMiB: 8, group: 'cg-new', vm: 'vm-9' },
];

test('without --yes and with --dry-run it only says what would be done, volumes of a group that is still missing too', async () => {
  const path = written(declared((volumes) => [...volumes, ...NEW_VOLUMES], [NEW_GROUP]));
  const would = [
    'This would be done, in this order:',
    '  - add group cg-new at appliance-2',
    '  - add volume vm-9-disk-0 of host-1 to cg-new, 8 MiB',
    '  - add volume vm-9-disk-1 of host-1 to cg-new, 8 MiB',
    'Nothing was changed. To do it: repeat the command with --yes.',
    '',
  ].join('\n');
  expect(await run('estate', 'apply', path)).toEqual({ exitCode: 1, stdout: would, stderr: '' });
  expect(await run('estate', 'apply', path, '--dry-run')).toEqual({ exitCode: 0, stdout: would, stderr: '' });
  expect((await client.groups.list()).map(({ group }) => group)).not.toContain('cg-new');
});

test('one refused step keeps all others from being made, and every reason is told', async () => {
  const volumes: FileVolume[] = [
    { id: 'VM-1-disk-1', sizeMiB: 8, group: 'cg-gold' },
    { id: 'vm-8-disk-0', sizeMiB: 8, group: 'cg-new' },
  ];
  const disk = volumeFilesIn(join(fixture.folder, HOST))(volumeIdSchema.parse('vm-8-disk-0')).source;
  mkdirSync(dirname(disk), { recursive: true });
  writeFileSync(disk, Buffer.alloc(4 * MIB));
  const path = written(
    declared((before) => [...before.filter(({ id }) => id !== 'vm-1-disk-1'), ...volumes], [NEW_GROUP]),
  );
  const refused = await run('estate', 'apply', path, '--yes', '--retire', 'vm-1-disk-0,nobody');
  rmSync(disk);
  expect(refused.exitCode).toBe(3);
  expect(refused.stderr).toContain('"vm-1-disk-0" is in the file, so it is not retired');
  expect(refused.stderr).toContain('there is no volume or group "nobody" to retire');
  expect(refused.stderr).toContain('"VM-1-disk-1" has the name of volume "vm-1-disk-1" (NAME_TAKEN)');
  expect(refused.stderr).toMatch(/its source .* has 4194304 bytes instead of 8388608 \(VOLUME_UNUSABLE\)/);
  expect((await client.groups.list()).map(({ group }) => group)).not.toContain('cg-new');
});

test('an application that dies after any step is finished by its repetition, and then nothing differs', async () => {
  const declaration = declared(
    (volumes) =>
      [...volumes, ...NEW_VOLUMES].map((volume) =>
        volume.id === 'vm-2-disk-0' ? { ...volume, vm: 'vm-2', labels: { app: 'mail' } } : volume,
      ),
    [NEW_GROUP],
  );
  const left: number[] = [];
  const dying = async (): Promise<void> => {
    left.push((await client.estate.apply({ declaration, dryRun: true })).steps.length);
    const onStep = (): void => {
      throw new Error('killed');
    };
    await expect(client.estate.apply({ declaration, onStep })).rejects.toThrow('killed');
  };
  await dying();
  await dying();
  // A kill between the replica site and the splitter.
  await site().addVolume({
    volume: VOLUME,
    splitter: HOST,
    sizeMiB: 8,
    group: NEW,
    vm: 'vm-9',
    labels: { app: 'mail' },
  });
  await dying();
  expect(left).toEqual([4, 3, 2]);

  const path = written(declaration);
  expect(await run('estate', 'apply', path, '--yes')).toEqual({
    exitCode: 0,
    stdout: 'The estate runs as the file says.\n',
    stderr: '  ✓ add volume vm-9-disk-0 of host-1 to cg-new, 8 MiB\n',
  });
  expect(await run('estate', 'apply', path, '--yes')).toMatchObject({
    exitCode: 0,
    stdout: 'Nothing to do.\nThe estate runs as the file says.\n',
  });
  expect(await run('estate', 'plan', path)).toMatchObject({
    exitCode: 0,
    stdout: 'The estate runs as the file says.\n',
  });
  const named = (await client.volumes.list()).find(({ volume }) => volume === 'vm-2-disk-0');
  expect(named).toMatchObject({ vm: 'vm-2', labels: { app: 'mail' } });

  const guest = await connectNbd(await nbdAddressOf(fixture.running.process(HOST)), VOLUME);
  await guest.write(MIB, Buffer.alloc(4_096, 5));
  await guest.disconnect();
  await waitUntilQuiet(client, { volume: VOLUME, timeoutMs: PATIENCE_MS });
  const members = async (): Promise<string[]> =>
    (await client.points.close({ group: NEW })).members.map(({ volume }) => volume);
  await expect.poll(members, { timeout: PATIENCE_MS }).toContain(VOLUME);
});

test('what the file leaves out again is kept, until it is named', async () => {
  const path = written(declared((volumes) => volumes));
  // The names of vm-2-disk-0 are those of the file again.
  const kept = await run('estate', 'apply', path, '--yes', '--json');
  expect(kept.exitCode).toBe(1);
  const { applied } = JSON.parse(kept.stdout) as { applied: EstateApplied };
  expect(applied.steps.map(({ kind, subject }) => [kind, subject])).toEqual([['set-volume', 'vm-2-disk-0']]);
  expect(applied.left.map(({ code, subject }) => [code, subject])).toEqual([
    ['GROUP_UNDECLARED', 'cg-new'],
    ['VOLUME_UNDECLARED', 'vm-9-disk-0'],
    ['VOLUME_UNDECLARED', 'vm-9-disk-1'],
  ]);
  const names = 'vm-9-disk-0,vm-9-disk-1,cg-new';
  const retire = ['estate', 'apply', path, '--yes', '--retire', names];
  const synced = async (): Promise<number> => (await run(...retire, '--dry-run')).exitCode;
  await expect.poll(synced, { timeout: PATIENCE_MS }).toBe(0);
  expect(await run(...retire)).toEqual({
    exitCode: 0,
    stdout: 'The estate runs as the file says.\n',
    stderr: [
      '  ✓ retire volume vm-9-disk-0; its recovery points and its disk stay',
      '  ✓ retire volume vm-9-disk-1; its recovery points and its disk stay',
      '  ✓ retire group cg-new; its recovery points stay',
      '',
    ].join('\n'),
  });
  expect(await run(...retire)).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^Nothing to do\./) as string,
  });
});

test('volumes with labels that a rule of the file matches are protected in its group by themselves', async () => {
  const { estateFile, estate } = fixture.running;
  const protect = [{ match: { tier: 'gold' }, group: 'cg-silver' }];
  const splitters = estate.splitters.map((splitter) => ({
    ...splitter,
    volumes: [...splitter.volumes, { id: 'vm-7-disk-0', sizeMiB: 8, labels: { tier: 'gold' } }],
  }));
  writeFileSync(estateFile, JSON.stringify({ ...estate, protect, splitters }));
  expect(await run('estate', 'apply', '--yes')).toMatchObject({
    exitCode: 0,
    stdout: 'The estate runs as the file says.\n',
    stderr: '  ✓ add volume vm-7-disk-0 of host-1 to cg-silver, 8 MiB\n',
  });
  const add = ['volume', 'add', 'vm-7-disk-1', '--splitter', HOST, '--size-mib', '8'];
  expect(await run(...add)).toMatchObject({
    exitCode: 3,
    stderr: expect.stringMatching(/cannot be added: it has no group, and no rule of "protect" matches/) as string,
  });
  expect(await run(...add, '--label', 'tier=gold', '--wait')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/is served by host-1 and protected in cg-silver/) as string,
  });
  const groups = (await client.volumes.list())
    .filter(({ volume }) => volume.startsWith('vm-7'))
    .map(({ group }) => group);
  expect(groups).toEqual(['cg-silver', 'cg-silver']);
});

test('a killed command leaves nothing half done that its repetition does not finish', async () => {
  const { estateFile } = fixture.running;
  const file = JSON.parse(readFileSync(estateFile, 'utf8')) as EstateInput;
  const disks = Array.from({ length: 6 }, (_, i) => ({ id: `vm-6-disk-${i}`, sizeMiB: 8, group: 'cg-six' }));
  const splitters = file.splitters.map((splitter) => ({ ...splitter, volumes: [...splitter.volumes, ...disks] }));
  // What the test before added by hand is in the file, too.
  splitters[0]?.volumes.push({ id: 'vm-7-disk-1', sizeMiB: 8, labels: { tier: 'gold' } });
  const groups = [...file.groups, { id: 'cg-six', appliance: 'appliance-1' }];
  writeFileSync(estateFile, JSON.stringify({ ...file, groups, splitters }));

  const words = ['estate', 'apply', '--yes', '--estate', estateFile];
  const command = spawn(process.execPath, [join(PROJECT_FOLDER, 'bin', 'volume-mover.js'), ...words]);
  command.stderr.once('data', () => command.kill('SIGKILL'));
  await once(command, 'exit');
  // Wherever the kill hits: what was said to be done is done, and the rest can be.
  const { steps } = await client.estate.apply({ declaration: readEstateFile(estateFile), dryRun: true });
  expect(steps.map(({ subject }) => subject)).not.toContain('cg-six');

  expect(await run(...words.slice(0, 3))).toMatchObject({ exitCode: 0 });
  expect(await run('estate', 'plan')).toMatchObject({ exitCode: 0, stdout: 'The estate runs as the file says.\n' });
});

test('a volume that only a restarted splitter has taken from the file is protected by an application', async () => {
  const { estateFile } = fixture.running;
  const file = JSON.parse(readFileSync(estateFile, 'utf8')) as EstateInput;
  const volume = volumeIdSchema.parse('vm-5-disk-0');
  const line = { id: volume, sizeMiB: 8, labels: { tier: 'gold' } };
  const splitters = file.splitters.map((splitter) => ({ ...splitter, volumes: [...splitter.volumes, line] }));
  writeFileSync(estateFile, JSON.stringify({ ...file, splitters }));
  await fixture.running.process(HOST).restart();
  expect((await run('estate', 'plan')).stdout).toContain('The replica site has no volume "vm-5-disk-0"');
  expect(await run('estate', 'apply', '--yes')).toMatchObject({
    stdout: 'The estate runs as the file says.\n',
    stderr: '  ✓ add volume vm-5-disk-0 of host-1 to cg-silver, 8 MiB\n',
  });
  const guest = await connectNbd(await nbdAddressOf(fixture.running.process(HOST)), volume);
  await guest.write(0, Buffer.alloc(4_096, 3));
  await guest.disconnect();
  await waitUntilQuiet(client, { volume, timeoutMs: PATIENCE_MS });
});
