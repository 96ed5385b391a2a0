// Appliances and splitters come and go while everything runs: new real processes, a worker that
// follows its estate file, drains, and what a retired one is refused.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { readEstateFile } from '../../client/estate-file.js';
import type { EstateInput } from '../../contracts/estate.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { EstateProcess } from '../../estate/estate-process.js';
import { chooseFreePort } from '../../estate/ports.js';
import { entryPoint } from '../../estate/project.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { connectNbd } from '../../nbd/client.js';
import { type Ran, runCommand } from '../support/cli.js';
import { PATIENCE_MS } from '../support/until.js';
import { type EstateFixture, startEstate } from './estate-fixture.js';

const MIB = 1024 * 1024;
const MOVED = volumeIdSchema.parse('vm-2-disk-0');
let fixture: EstateFixture;
let client: MoverClient;
const added: EstateProcess[] = [];

beforeAll(async () => {
  fixture = await startEstate({ withWorker: true });
});
afterAll(async () => {
  await client?.close();
  for (const process of added) await process.stop();
  await fixture.stop();
});

const run = async (...words: string[]): Promise<Ran> =>
  runCommand({}, [...words, '--estate', fixture.running.estateFile]);
const matching = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

function writeFile(change: (file: EstateInput) => EstateInput): void {
  const { estateFile } = fixture.running;
  writeFileSync(estateFile, JSON.stringify(change(JSON.parse(readFileSync(estateFile, 'utf8')) as EstateInput)));
}

/** Writes a line for a new process into the estate file that all others read. */
async function declare(role: 'appliance' | 'splitter', id: string): Promise<void> {
  const taken = new Set<number>();
  const port = async () => ({ port: await chooseFreePort(taken) });
  const [control, nbd] = [await port(), await port()];
  writeFile((file) =>
    role === 'appliance'
      ? { ...file, appliances: [...file.appliances, { id, control, nbd }] }
      : { ...file, splitters: [...file.splitters, { id, control, nbd, volumes: [] }] },
  );
  client = createMoverClient({ estate: readEstateFile(fixture.running.estateFile) });
}

async function start(role: 'appliance' | 'splitter', id: string): Promise<EstateProcess> {
  const { folder, running } = fixture;
  const process = new EstateProcess(
    {
      id,
      role,
      entry: entryPoint(`simulator/${role}/main`),
      dataFolder: join(folder, id),
      logFile: join(folder, 'logs', `${id}.log`),
      environment: { ...running.process('appliance-1').spec.environment },
    },
    () => undefined,
  );
  added.push(process);
  await process.start();
  return process;
}

test('an appliance that is added serves groups and takes moves, without a restart of anything', async () => {
  expect(await run('appliance', 'add', 'appliance-3')).toMatchObject({
    exitCode: 3,
    stderr: matching(/the estate file has no appliance "appliance-3"/),
  });
  await declare('appliance', 'appliance-3');
  expect(await run('appliance', 'add', 'appliance-3')).toMatchObject({
    exitCode: 4,
    stderr: matching(/appliance "appliance-3" does not answer/),
  });
  await start('appliance', 'appliance-3');
  expect(await run('appliance', 'add', 'appliance-3')).toMatchObject({
    exitCode: 0,
    stdout: matching(/answers and reaches the replica site/),
  });
  expect(await run('group', 'add', 'cg-three', '--appliance', 'appliance-3', '--point-every', '1s')).toMatchObject({
    exitCode: 0,
  });
  // The worker has been running since before the file had it.
  const moved = await run('move', MOVED, '--to', 'cg-three');
  expect(moved).toMatchObject({ exitCode: 0 });
  const guest = await connectNbd(await nbdAddressOf(fixture.running.process('host-1')), MOVED);
  await guest.write(MIB, Buffer.alloc(4_096, 9));
  await guest.disconnect();
  await waitUntilQuiet(client, { volume: MOVED, timeoutMs: PATIENCE_MS });
  const lastPoint = async () => (await client.groups.list()).find(({ group }) => group === 'cg-three')?.lastPoint;
  await expect.poll(lastPoint, { timeout: PATIENCE_MS }).toBeDefined();
});

test('an appliance is retired once a batch has moved everything away and its groups are gone; it is given nothing then', async () => {
  const refused = await run('appliance', 'retire', 'appliance-3');
  expect(refused).toMatchObject({
    exitCode: 3,
    stderr: matching(/cannot be retired: it serves group "cg-three" with 1 volumes/),
  });
  expect(await run('appliance', 'drain', 'appliance-3')).toMatchObject({
    exitCode: 3,
    stderr: matching(/group "cg-three" with 1 volume needs a target, .*; these have room: cg-gold, cg-silver/),
  });
  const wrong = await run('appliance', 'drain', 'appliance-3', '--map', 'cg-three=cg-three,cg-gold=cg-silver');
  expect(wrong.stderr).toContain('it does not serve group "cg-gold"');
  expect(wrong.stderr).toContain('group "cg-three" is served by the same appliance');

  await added[0]?.stop();
  expect(await run('appliance', 'drain', 'appliance-3', '--to', 'cg-silver')).toMatchObject({
    exitCode: 4,
    stderr: matching(/cannot be drained: appliance "appliance-3" does not answer/),
  });
  await added[0]?.start();

  const dry = await run('appliance', 'drain', 'appliance-3', '--to', 'cg-silver', '--dry-run');
  expect(dry).toMatchObject({ exitCode: 0, stderr: matching(/cg-three: 1 volume to cg-silver at appliance-2/) });
  expect(dry.stdout).toContain('1 of 1 moves could be made now');
  const drained = await run('appliance', 'drain', 'appliance-3', '--to', 'cg-silver', '--wait');
  expect(drained).toMatchObject({ exitCode: 0, stdout: matching(/Batch drain-appliance-3@/) });
  expect(drained.stdout).toContain('1 of 1 moved');
  const again = await run('appliance', 'drain', 'appliance-3', '--to', 'cg-silver');
  expect(again).toMatchObject({ exitCode: 0, stdout: matching(/No volume has to be moved/) });

  const { points } = await client.points.list({ group: groupIdSchema.parse('cg-three') });
  const point = points.filter(({ members }) => members.length > 0).at(-1)?.id;
  if (point === undefined) throw new Error('The group has a point with its volume.');
  const image = await client.images.open({ group: 'cg-three', point });
  expect(image.appliance).toBe('appliance-3');
  const held = await run('appliance', 'retire', 'appliance-3');
  expect(held.stderr).toContain('it serves group "cg-three" with 0 volumes');
  expect(held.stderr).toContain(`image access ${image.id} of`);
  await client.images.close(image.id);
  expect(await run('group', 'retire', 'cg-three')).toMatchObject({ exitCode: 0 });
  expect(await run('appliance', 'retire', 'appliance-3', '--dry-run')).toMatchObject({ exitCode: 0 });
  expect(await run('appliance', 'retire', 'appliance-3')).toMatchObject({
    exitCode: 0,
    stdout: matching(/is retired\. Stop its process/),
  });

  await fixture.running.process('replica-site').restart();
  expect(await run('group', 'add', 'cg-four', '--appliance', 'appliance-3')).toMatchObject({
    exitCode: 3,
    stderr: matching(/appliance "appliance-3" is retired/),
  });
  const { differences } = await client.estate.plan();
  expect(differences.map(({ code, subject }) => [code, subject])).toEqual([['APPLIANCE_RETIRED', 'appliance-3']]);
  // The points of its group are opened at another appliance, when its process is gone.
  await added[0]?.stop();
  const other = await client.images.open({ group: 'cg-three', point });
  expect(other.appliance).not.toBe('appliance-3');
  await client.images.close(other.id);
  writeFile((file) => ({ ...file, appliances: file.appliances.filter(({ id }) => id !== 'appliance-3') }));
  expect(await run('estate', 'plan')).toMatchObject({ exitCode: 0 });
  expect(await run('appliance', 'retire', 'appliance-3')).toMatchObject({ exitCode: 0 });
});

test('a splitter is added, drained and retired; what keeps it in use is listed with what stands against it', async () => {
  await declare('splitter', 'host-2');
  const host = await start('splitter', 'host-2');
  expect(await run('splitter', 'add', 'host-2')).toMatchObject({ exitCode: 0, stdout: matching(/host-2 answers/) });
  const add = ['volume', 'add', 'vm-9-disk-0', '--splitter', 'host-2', '--size-mib', '8', '--group', 'cg-gold'];
  expect(await run(...add, '--vm', 'vm-9')).toMatchObject({ exitCode: 0 });
  expect(await run('splitter', 'retire', 'host-2')).toMatchObject({
    exitCode: 3,
    stderr: matching(/cannot be retired: it protects volume "vm-9-disk-0" in group "cg-gold"/),
  });
  const guest = await connectNbd(await nbdAddressOf(host), 'vm-9-disk-0');
  const inUse = await run('splitter', 'drain', 'host-2');
  expect(inUse).toMatchObject({ exitCode: 1, stdout: matching(/vm-9-disk-0 of vm-9 in cg-gold, 8 MiB: cannot be/) });
  expect(inUse.stdout).toMatch(/1 connections of guests have volume "vm-9-disk-0" open \(VOLUME_IN_USE\)/);
  await guest.disconnect();
  const free = async (): Promise<string> => (await run('splitter', 'drain', 'host-2')).stdout;
  await expect.poll(free, { timeout: PATIENCE_MS }).toMatch(/8 MiB: can be retired/);
  expect(await run('volume', 'retire', 'vm-9-disk-0')).toMatchObject({ exitCode: 0 });
  expect(await run('splitter', 'drain', 'host-2')).toMatchObject({ exitCode: 0, stdout: matching(/protects nothing/) });
  expect(await run('splitter', 'retire', 'host-2')).toMatchObject({ exitCode: 0, stdout: matching(/is retired/) });
  const other = ['volume', 'add', 'vm-9-disk-1', '--splitter', 'host-2', '--size-mib', '8', '--group', 'cg-gold'];
  expect(await run(...other)).toMatchObject({ exitCode: 3, stderr: matching(/splitter "host-2" is retired/) });
  expect(await run('splitter', 'add', 'host-2')).toMatchObject({ exitCode: 0 });
  expect(await run(...other)).toMatchObject({ exitCode: 0 });
});
