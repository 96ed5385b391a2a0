// The command line on an estate of real processes and a real Temporal server, a guest writing all
// the while.
import { Client, Connection } from '@temporalio/client';
import { createHash } from 'node:crypto';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { EXIT } from '../../client/cli/exit-code.js';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { applianceApi } from '../../contracts/appliance-api.js';
import { controlUrl } from '../../contracts/estate.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { createApiClient } from '../../control/client.js';
import { type Guest, startGuest } from '../../estate/guest/guest.js';
import { verifyCut } from '../../estate/guest/verify.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import type { Chunk } from '../../nbd/read-ahead.js';
import { type Ran, runCommand } from '../support/cli.js';
import { FORGETTING_TEST_MS, forgetWorkflow } from '../support/forget-workflow.js';
import { PATIENCE_MS, until, untilTrue } from '../support/until.js';
import { type EstateFixture, startEstate } from './estate-fixture.js';

const VM_2 = volumeIdSchema.parse('vm-2-disk-0');
let fixture: EstateFixture;
let client: MoverClient;
let guest: Guest;

beforeAll(async () => {
  fixture = await startEstate({ withWorker: true });
  client = createMoverClient({ estate: fixture.running.estate, environment: {} });
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const address = await nbdAddressOf(fixture.running.process('host-1'));
  guest = await startGuest({ address, volume: 'vm-1-disk-0', seed, writesPerSecond: 200 });
});

afterAll(async () => {
  await guest.stop();
  await client.close();
  await fixture.stop();
});

async function cli(...words: string[]): Promise<Ran> {
  return runCommand({ VOLUME_MOVER_ESTATE: fixture.running.estateFile }, words);
}

async function json<S extends z.ZodType>(
  schema: S,
  ...words: string[]
): Promise<{ exitCode: number; answer: z.output<S> }> {
  const { exitCode, stdout } = await cli(...words, '--json');
  return { exitCode, answer: schema.parse(JSON.parse(stdout)) };
}

const startedSchema = z.object({ moveId: z.string(), workflowId: z.string() });
const movedSchema = z.object({
  moveId: z.string(),
  state: z.string(),
  report: z.object({
    bookmarks: z.object({ left: z.object({ point: z.string() }), joined: z.object({ point: z.string() }) }),
  }),
});
let left = '';
let moveId = '';
let cancelledId = '';

test('volumes and groups are listed with where they belong', async () => {
  const volumes = await cli('volumes');
  expect(volumes.exitCode).toBe(EXIT.ok);
  expect(volumes.stdout).toMatch(/^vm-1-disk-0 +vm-1 +8 MiB +cg-gold +1 +host-1 +SYNCED/m);
  const groups = await cli('groups');
  expect(groups.stdout).toMatch(/^cg-silver +appliance-2 +ACTIVE +1 of 128/m);
});

test.each([
  [
    ['--vm', 'vm-1'],
    ['vm-1-disk-0', 'vm-1-disk-1'],
  ],
  [
    ['--name', '*-disk-0'],
    ['vm-1-disk-0', 'vm-2-disk-0'],
  ],
  [['--name', '*-disk-0', '--group', 'cg-gold'], ['vm-1-disk-0']],
  [['--label', 'app=shop'], ['vm-1-disk-0']],
  [['--label', 'app=mail'], []],
])('volumes %j lists just those', async (words, expected) => {
  const listed = z.object({ volumes: z.array(z.object({ volume: z.string() })) });
  const { exitCode, answer } = await json(listed, 'volumes', ...words);
  expect(exitCode).toBe(EXIT.ok);
  expect(answer.volumes.map(({ volume }) => volume)).toEqual(expected);
});

test('names of the estate are completed, in a list after its last comma too', async () => {
  const complete = async (...words: string[]): Promise<string> => (await cli('complete', '--', ...words)).stdout;
  expect(await complete('move', 'vm-1')).toBe('vm-1-disk-0\nvm-1-disk-1\n');
  expect(await complete('move', 'vm-1-disk-0', '--to', '')).toBe('cg-gold\ncg-silver\n');
  expect(await complete('batch', 'start', '--from', 'cg-gold,cg-s')).toBe('cg-gold,cg-silver\n');
  expect(await complete('points', 'cg-')).toBe('cg-gold\ncg-silver\n');
});

test('links go to the address of the Temporal UI that a flag names, and the server may be named too', async () => {
  const words = [
    '--address',
    fixture.temporalAddress,
    '--namespace',
    'default',
    '--ui-url',
    'https://temporal.example.com/',
  ];
  const { exitCode, stdout } = await cli('move', 'vm-1-disk-1', '--to', 'cg-silver', '--no-wait', ...words);
  expect(exitCode).toBe(EXIT.ok);
  const [, workflowId] = /^Started (\S+)@/m.exec(stdout) ?? [];
  expect(stdout).toContain(`https://temporal.example.com/namespaces/default/workflows/${workflowId}/`);
  await untilTrue(
    'the move has ended',
    PATIENCE_MS,
    async () => (await client.moves.get(workflowId ?? '')).state === 'moved',
  );
  const back = await client.moves.start({
    volume: volumeIdSchema.parse('vm-1-disk-1'),
    to: groupIdSchema.parse('cg-gold'),
  });
  await untilTrue(
    'the move back has ended',
    PATIENCE_MS,
    async () => (await client.moves.get(back.moveId)).state === 'moved',
  );
});

test('a label that can not be read is refused in words', async () => {
  const { exitCode, stderr } = await cli('volumes', '--label', 'shop');
  expect(exitCode).toBe(EXIT.usage);
  expect(stderr).toContain('"shop" is not a label: give name=value');
});

test('a plan without reasons against it ends with 0, one with reasons lists them all and ends with 3', async () => {
  const { exitCode, stdout } = await cli('plan', 'vm-1-disk-0', '--to', 'cg-silver');
  expect(exitCode).toBe(EXIT.ok);
  expect(stdout).toContain(
    '  ✓ reachability: splitter "host-1" to appliance "appliance-2": connected, by another volume',
  );
  expect(stdout).toMatch(/^ {2}points stay {2}vm-1-disk-0: \d+ points?, the oldest of /m);
  expect(stdout).toMatch(/^ {2}5 reconfigure commit: cg-silver owns vm-1-disk-0 \(epoch 1 → 2\)/m);
  const terminal = { isTTY: true, columns: 80 };
  const environment = { VOLUME_MOVER_ESTATE: fixture.running.estateFile };
  const narrow = await runCommand(environment, ['plan', 'vm-1-disk-0', '--to', 'cg-silver'], terminal);
  expect(narrow.stdout.split('\n').filter((line) => line.length > terminal.columns)).toEqual([]);
  const refused = await cli('plan', 'vm-9', 'vm-1-disk-0', '--to', 'cg-gold', '--from', 'cg-silver');
  expect(refused.exitCode).toBe(EXIT.refused);
  expect(refused.stdout).toMatch(/VOLUME_NOT_FOUND[\s\S]*ALREADY_THERE/);
});

test('a move is followed to its report, and its status says the same afterwards', async () => {
  const { exitCode, answer } = await json(movedSchema, 'move', 'vm-1-disk-0', '--to', 'cg-silver', '--reason', 'test');
  expect(exitCode).toBe(EXIT.ok);
  expect(answer.state).toBe('moved');
  ({ moveId } = answer);
  left = answer.report.bookmarks.left.point;
  const status = await cli('status', moveId);
  expect(status.exitCode).toBe(EXIT.ok);
  expect(status.stdout).toMatch(/: moved$/m);
  expect(status.stdout).toMatch(/✓ reconfigure/);
});

test('a move to where the volume is already is refused before it is started', async () => {
  const { exitCode, stderr } = await cli('move', 'vm-1-disk-0', '--to', 'cg-silver');
  expect(exitCode).toBe(EXIT.refused);
  expect(stderr).toContain('in group "cg-silver" already');
});

test('the points of a volume are those of both groups, with the bookmarks of the move', async () => {
  const { stdout } = await cli('points', 'vm-1-disk-0', '--list');
  expect(stdout).toMatch(/cg-gold +left .* vm-1-disk-0 left for cg-silver$/m);
  expect(stdout).toMatch(/cg-silver +joined .* vm-1-disk-0 joined from cg-gold$/m);
});

test('a recovered bookmark is one consistent state of the guest', async () => {
  const path = join(fixture.folder, 'left.img');
  const { exitCode } = await cli('recover', 'vm-1-disk-0', '--point', left, '--to', path);
  expect(exitCode).toBe(EXIT.ok);
  const found = await verifyCut(chunksOf(path), guest.seed, guest.log);
  expect(found.described).toEqual([]);
  expect(found.written).toBeGreaterThan(0);
  expect((await cli('recover', 'vm-1-disk-0', '--point', left, '--to', path)).exitCode).toBe(EXIT.usage);
});

test('a place that no file can have is refused in words', async () => {
  const below = await cli('recover', 'cg-silver', '--to', '/proc/x');
  expect(below.exitCode).toBe(EXIT.usage);
  expect(below.stderr).toContain('Nothing can be written to "/proc/x"');
  const taken = await cli('recover', 'cg-silver', '--to', fixture.running.estateFile);
  expect(taken.exitCode).toBe(EXIT.usage);
  expect(taken.stderr).toContain(`"${fixture.running.estateFile}": it exists and is not a folder`);
});

test('a group is recovered into one file a volume, as of a time', async () => {
  const to = join(fixture.folder, 'group');
  const { exitCode } = await cli('recover', 'cg-silver', '--at', new Date().toISOString(), '--to', to);
  expect(exitCode).toBe(EXIT.ok);
  expect((await readdir(to)).sort()).toEqual(['vm-1-disk-0.img', 'vm-2-disk-0.img']);
  expect((await readFile(join(to, 'vm-2-disk-0.img'))).length).toBe(8 * 1024 * 1024);
});

test('a move that cannot go on is cancelled, and everything is as before', async () => {
  const [appliance] = fixture.running.estate.appliances;
  if (appliance === undefined) throw new Error('The estate has an appliance.');
  const { setLink } = createApiClient(applianceApi, { baseUrl: controlUrl(appliance.control) });
  await setLink({ cut: true });
  const { answer } = await json(startedSchema, 'move', 'vm-1-disk-1', '--to', 'cg-silver', '--no-wait');
  cancelledId = answer.moveId;
  const cancelled = await cli('cancel', answer.moveId);
  await setLink({ cut: false });
  expect(cancelled.exitCode).toBe(EXIT.ok);
  expect(cancelled.stdout).toContain('is cancelled');
  expect((await cli('status', answer.moveId)).exitCode).toBe(EXIT.failed);
  expect((await cli('volumes')).stdout).toMatch(/^vm-1-disk-1 .* cg-gold +3 /m);
});

test('Ctrl-C stops the waiting, and says how to watch or cancel the move that goes on', async () => {
  const [appliance] = fixture.running.estate.appliances;
  if (appliance === undefined) throw new Error('The estate has an appliance.');
  const { setLink } = createApiClient(applianceApi, { baseUrl: controlUrl(appliance.control) });
  await setLink({ cut: true });
  const moving = cli('move', 'vm-1-disk-1', '--to', 'cg-silver');
  const running = await until('the move in the list', PATIENCE_MS, async () => {
    const [listed] = await client.moves.list({ state: 'running', volume: 'vm-1-disk-1' });
    return listed;
  });
  process.emit('SIGINT');
  const { exitCode, stdout } = await moving;
  expect(exitCode).toBe(EXIT.interrupted);
  expect(stdout).toContain(`Interrupted: move ${running.moveId} goes on.`);
  expect(stdout).toContain(`volume-mover watch ${running.workflowId}`);
  expect((await cli('status', running.moveId)).stdout).toContain(`volume-mover cancel ${running.workflowId}`);
  expect((await cli('cancel', running.workflowId)).exitCode).toBe(EXIT.ok);
  await setLink({ cut: false });
  const watched = await cli('watch', running.moveId);
  expect(watched.exitCode).toBe(EXIT.failed);
  expect(watched.stdout).toBe('1 move ended: 1 cancelled.\n');
});

test('several moves are watched to their ends, a line each', async () => {
  const words = ['vm-1-disk-1', 'vm-2-disk-0'].map((volume, i) => [volume, '--to', i === 0 ? 'cg-silver' : 'cg-gold']);
  const ids: string[] = [];
  for (const each of words) {
    const { stdout } = await cli('move', ...each, '--no-wait');
    const [, id = ''] = /watch it with: volume-mover watch (\S+)$/m.exec(stdout) ?? [];
    ids.push(id);
  }
  const { exitCode, stdout, stderr } = await cli('watch', ...ids);
  expect(exitCode).toBe(EXIT.ok);
  expect(stdout).toBe('2 moves ended: 2 moved.\n');
  expect(stderr).toMatch(/^vm-1-disk-1 → cg-silver {2}moved, .* move-vm-1-disk-1-to-cg-silver-/m);
  expect(stderr).toMatch(/^vm-2-disk-0 → cg-gold {2}moved, /m);
  await untilTrue(
    'nothing runs',
    PATIENCE_MS,
    async () => (await client.moves.list({ state: 'running' })).length === 0,
  );
  expect((await cli('watch')).stdout).toBe('No move runs.\n');
  expect((await cli('watch', 'no-such-move')).exitCode).toBe(EXIT.notFound);
});

test('moves are listed by volume, by group, and by the time in which they ran', async () => {
  const volumesIn = async (...filters: string[]): Promise<readonly string[]> => {
    const schema = z.object({ moves: z.array(z.object({ volumes: z.array(z.string()) })) });
    const { answer } = await json(schema, 'moves', ...filters, '--limit', '100');
    return [...new Set(answer.moves.flatMap(({ volumes }) => volumes))];
  };
  await untilTrue(
    'all ends are listed',
    PATIENCE_MS,
    async () => (await volumesIn('--volume', 'vm-2-disk-0')).length > 0,
  );
  expect(await volumesIn('--volume', 'vm-2-disk-0')).toEqual(['vm-2-disk-0']);
  expect((await volumesIn('--group', 'cg-gold', '--since', '-1h')).toSorted()).toEqual([
    'vm-1-disk-0',
    'vm-1-disk-1',
    'vm-2-disk-0',
  ]);
  expect(await volumesIn('--group', 'cg-none')).toEqual([]);
  expect(await volumesIn('--since', new Date().toISOString())).toEqual([]);
});

test('the report of a move that was cancelled says so', async () => {
  const { exitCode, stdout } = await cli('report', cancelledId);
  expect(exitCode).toBe(EXIT.ok);
  expect(stdout).toContain(`Move ${cancelledId}: cancelled`);
  expect(stdout).toContain('vm-1-disk-1: ');
});

test('a report is a page to be filed, with the digest of what --json answers', async () => {
  const file = join(fixture.folder, 'audit', 'move.html');
  const { exitCode, stdout } = await cli('report', moveId, '--format', 'html', '--to', file);
  expect(exitCode).toBe(EXIT.ok);
  expect(stdout).toContain(`Wrote the report of move ${moveId} to ${file}.`);
  const page = await readFile(file, 'utf8');
  const record = (await cli('report', moveId, '--json')).stdout.trimEnd();
  expect(page).toContain(createHash('sha256').update(record).digest('hex'));
  expect((await cli('report', moveId, '--format', 'html', '--to', file)).exitCode).toBe(EXIT.usage);
});

test('moves are listed with their volumes and groups, and by outcome', async () => {
  await untilTrue('both ends are listed', PATIENCE_MS, async () => {
    const { stdout } = await cli('moves');
    return [moveId, cancelledId].every((id) => new RegExp(`^${id} +(moved|cancelled) `, 'm').test(stdout));
  });
  const listed = await cli('moves', '--outcome', 'cancelled');
  expect(listed.exitCode).toBe(EXIT.ok);
  expect(listed.stdout).toMatch(new RegExp(`^${cancelledId} +cancelled .* vm-1-disk-1 +(cg-gold|-) +cg-silver$`, 'm'));
  expect(listed.stdout).not.toContain(moveId);
  expect((await cli('moves', '--running')).stdout).toBe('No such moves.\n');
  const { answer } = await json(
    z.object({ moves: z.array(z.object({ moveId: z.string() })) }),
    'moves',
    '--limit',
    '1',
  );
  expect(answer.moves).toHaveLength(1);
});

test(
  'a move that Temporal has forgotten is known by its report',
  async () => {
    const before = await client.moves.report(moveId);
    const connection = await Connection.connect({ address: fixture.temporalAddress });
    try {
      await forgetWorkflow(new Client({ connection }), moveId);
    } finally {
      await connection.close();
    }
    const reported = z.object({ move: z.string(), outcome: z.string(), reason: z.string(), report: z.unknown() });
    const { exitCode, answer } = await json(reported, 'report', moveId);
    expect(exitCode).toBe(EXIT.ok);
    expect(answer).toMatchObject({ move: moveId, outcome: 'moved', reason: 'test' });
    expect(await client.moves.report(moveId.replace(/@.*/, ''))).toEqual(before);
    expect((await cli('report', moveId)).stdout).toMatch(/Moved vm-1-disk-0 from cg-gold to cg-silver/);
    const status = await cli('status', moveId);
    expect(status.exitCode).toBe(EXIT.ok);
    expect(status.stdout).toMatch(/: moved$/m);
    const late = { volume: volumeIdSchema.parse('vm-1-disk-0'), to: groupIdSchema.parse('cg-silver') };
    expect(await client.moves.start(late, { workflowId: moveId.replace(/@.*/, '') })).toMatchObject({
      moveId,
      isEarlier: true,
    });
  },
  FORGETTING_TEST_MS,
);

test('what does not exist ends with 5, and what cannot be reached with 4', async () => {
  expect((await cli('status', 'no-such-move')).exitCode).toBe(EXIT.notFound);
  expect((await cli('report', 'no-such-move')).exitCode).toBe(EXIT.notFound);
  expect((await cli('points', 'no-such-thing')).exitCode).toBe(EXIT.notFound);
  expect((await cli('recover', 'vm-1-disk-0', '--point', 'p-none', '--to', join(fixture.folder, 'x'))).exitCode).toBe(
    EXIT.notFound,
  );
  const appliances = ['appliance-1', 'appliance-2'].map((id) => fixture.running.process(id));
  await Promise.all(appliances.map(async (appliance) => appliance.kill()));
  expect((await cli('groups')).exitCode).toBe(EXIT.unreachable);
  await Promise.all(appliances.map(async (appliance) => appliance.start()));
});

test('a start that is repeated with its workflow id is the same move; another move under the id is refused', async () => {
  const input = { volume: volumeIdSchema.parse('vm-2-disk-0'), to: groupIdSchema.parse('cg-silver') };
  const first = await client.moves.start(input, { workflowId: 'the-same' });
  expect(await client.moves.start(input, { workflowId: 'the-same' })).toEqual({ ...first, isEarlier: true });
  const other = { ...input, volume: volumeIdSchema.parse('vm-1-disk-0') };
  await expect(client.moves.start(other, { workflowId: 'the-same' })).rejects.toMatchObject({
    code: 'ATTEMPT_MISMATCH',
  });
  const stages: string[] = [];
  for await (const { state, progress } of client.moves.follow(first.moveId))
    stages.push(state === 'running' ? (progress?.stage ?? state) : state);
  expect(stages.at(-1)).toBe('moved');
  expect(await client.moves.get('the-same')).toMatchObject({ state: 'moved', moveId: first.moveId });
});

test('a workflow id given again answers with the move made under it, until a new one is wanted', async () => {
  expect((await cli('move', 'vm-2-disk-0', '--to', 'cg-gold')).exitCode).toBe(EXIT.ok);
  const words = ['move', 'vm-2-disk-0', '--to', 'cg-silver', '--workflow-id', 'ticket-4711'];
  const { answer: first } = await json(movedSchema, ...words);
  const back = await cli('move', 'vm-2-disk-0', '--to', 'cg-gold');
  expect(back.exitCode).toBe(EXIT.ok);
  // A client's late repeat moves nothing.
  expect((await json(movedSchema, ...words)).answer).toMatchObject({ moveId: first.moveId, state: 'moved' });
  expect((await cli(...words)).stderr).toContain('This move was started before under the workflow id');
  expect((await cli('volumes')).stdout).toMatch(/^vm-2-disk-0 .* cg-gold /m);
  const other = await cli('move', 'vm-1-disk-1', '--to', 'cg-silver', '--workflow-id', 'ticket-4711');
  expect(other.exitCode).toBe(EXIT.refused);
  expect(other.stderr).toContain('Another move has run under the workflow id "ticket-4711".');
  const { answer: second } = await json(movedSchema, ...words, '--again');
  expect(second.moveId).not.toBe(first.moveId);
  expect((await cli('volumes')).stdout).toMatch(/^vm-2-disk-0 .* cg-silver /m);
});

test('a move is reversed once, sends nothing again, and not when its volume was moved on', async () => {
  const groupOf = async (): Promise<string | undefined> =>
    (await client.volumes.list({ namePattern: VM_2 })).at(0)?.group;
  const resent = async (): Promise<number> => (await client.volumes.splitterView(VM_2)).resentBytes;
  const { answer: there } = await json(movedSchema, 'move', VM_2, '--to', 'cg-gold');
  const before = await resent();

  expect((await cli('reverse', there.moveId, '--dry-run')).exitCode).toBe(EXIT.ok);
  expect(await groupOf()).toBe('cg-gold');
  const { answer: back } = await json(movedSchema, 'reverse', there.moveId, '--reason', 'a drill');
  expect([await groupOf(), await resent()]).toEqual(['cg-silver', before]);
  const again = await cli('reverse', there.moveId);
  expect(again.stderr).toContain('This move was started before');
  expect(again.stderr).toContain(`Move ${back.moveId}`);

  // Somebody has moved it since the move back, which leaves nothing to reverse.
  expect((await cli('move', VM_2, '--to', 'cg-gold')).exitCode).toBe(EXIT.ok);
  const late = await cli('reverse', back.moveId);
  expect(late).toMatchObject({ exitCode: EXIT.refused, stdout: '' });
  expect(late.stderr).toContain('is in group "cg-gold" already');
  const dry = await cli('reverse', back.moveId, '--dry-run');
  expect(dry).toMatchObject({ exitCode: EXIT.refused });
  expect((await cli('reverse', 'no-such-move')).exitCode).toBe(EXIT.notFound);
  expect((await cli('reverse', there.moveId, '--again', '--reason', 'once more')).exitCode).toBe(EXIT.ok);
  expect(await groupOf()).toBe('cg-silver');
});

test('a reversible move says until when, holds its volume there, and is finalized', async () => {
  const words = ['move', VM_2, '--to', 'cg-gold', '--reversible'];
  expect((await cli(...words, '30')).stderr).toContain('Give a number with a unit: 90s, 30m, 4h or 2d.');
  expect((await cli(...words, '8d')).stderr).toContain('reversibleForMs');
  const { exitCode, stdout } = await cli(...words, '30m');
  expect(exitCode).toBe(EXIT.ok);
  const [, untilText = '', id = ''] =
    /^ {2}way back {4}open until (\S+): volume-mover reverse (\S+)$/m.exec(stdout) ?? [];
  expect(Date.parse(untilText) - Date.now()).toBeGreaterThan(0);
  for (const show of ['status', 'report']) expect((await cli(show, id)).stdout).toContain(`open until ${untilText}: `);
  expect((await cli('moves', '--volume', VM_2)).stdout).toMatch(/WAY BACK UNTIL\n/);
  expect((await cli('moves', '--volume', VM_2)).stdout).toContain(untilText);
  expect((await cli('points', VM_2)).stdout).toContain(`Way back: ${VM_2} in cg-gold, open until ${untilText}`);

  const elsewhere = await cli('volume', 'retire', VM_2, '--dry-run');
  expect(elsewhere).toMatchObject({ exitCode: EXIT.refused });
  expect(elsewhere.stderr).toContain(
    `can go back to group "cg-silver" until ${untilText}, since move ${id} is reversible`,
  );
  const finalize = async (move: string) => cli('finalize', move, '--operator', 'sam', '--reason', 'it works');
  expect((await finalize(id)).stdout).toContain('has ended: group "cg-silver" keeps nothing for it any more.');
  expect((await finalize(id)).exitCode).toBe(EXIT.ok);
  expect((await cli('report', id)).stdout).toContain(`was open until ${untilText}; sam ended it `);
  expect((await cli('moves', '--volume', VM_2)).stdout).not.toContain('WAY BACK');

  const { answer: plain } = await json(movedSchema, 'move', VM_2, '--to', 'cg-silver');
  const refused = await finalize(plain.moveId);
  expect(refused.exitCode).toBe(EXIT.refused);
  expect(refused.stderr).toContain('(NOT_REVERSIBLE)');
});

test('a move stands by for an approval, is paused and resumed, and says all the while what it waits for', async () => {
  const { answer } = await json(startedSchema, 'move', 'vm-2-disk-0', '--to', 'cg-gold', '--manual', '--no-wait');
  const { moveId: id } = answer;
  const untilStatus = async (text: RegExp): Promise<void> =>
    untilTrue(`a status with ${String(text)}`, PATIENCE_MS, async () => text.test((await cli('status', id)).stdout));
  await untilStatus(/running \(ready\)/);
  await untilStatus(/^ {2}Waits for an approval. To raise the fence: volume-mover approve .* --reason <why>$/m);
  await untilStatus(/^ {2}… ready: .* left, .*not fenced yet$/m);
  expect((await cli('pause', id)).exitCode).toBe(EXIT.usage);
  expect((await cli('pause', id, '--operator', 'sam', '--reason', 'lunch')).stdout).toContain('Paused: no fence is up');
  expect((await cli('status', id)).stdout).toContain('sam paused the move: lunch. To go on: volume-mover resume');
  const twice = await cli('pause', id, '--reason', 'lunch');
  expect(twice).toMatchObject({ exitCode: EXIT.refused, stdout: '' });
  expect(twice.stderr).toContain('The move is paused already. (MOVE_REQUEST_REFUSED)');
  expect((await cli('resume', id, '--reason', 'back')).exitCode).toBe(EXIT.ok);
  expect((await cli('approve', id, '--reason', 'the change begins')).stdout).toContain('Approved: ');
  for await (const { state } of client.moves.follow(id)) if (state !== 'running') expect(state).toBe('moved');
  const late = await cli('abort', id, '--reason', 'too late');
  expect(late.exitCode).toBe(EXIT.refused);
  expect(late.stderr).toContain(`To move them back: volume-mover reverse ${id}`);
});

test('a second move of a volume is refused with what to type; with --queue it waits until the first has ended', async () => {
  const { answer } = await json(startedSchema, 'move', 'vm-2-disk-0', '--to', 'cg-silver', '--manual', '--no-wait');
  const { moveId: first } = answer;
  await untilTrue('the first move holds the volume', PATIENCE_MS, async () =>
    (await cli('status', first)).stdout.includes('running (ready)'),
  );
  const words = ['move', 'vm-2-disk-0', '--to', 'cg-silver'];
  const refused = await cli(...words);
  expect(refused).toMatchObject({ exitCode: EXIT.refused, stdout: '' });
  expect(refused.stderr).toContain(`is being moved by ${first}. (MOVE_REFUSED)`);
  expect(refused.stderr).toContain(`To follow that move: volume-mover watch ${first}.`);
  expect((await cli('plan', 'vm-2-disk-0', '--to', 'cg-silver')).stdout).toContain(`is being moved by ${first}`);
  const { answer: second } = await json(startedSchema, ...words, '--queue', '--no-wait');
  const says = `move ${first} has volume "vm-2-disk-0". It then moves the volumes only if they are still in group "cg-gold"`;
  await untilTrue('a status that says what it waits for', PATIENCE_MS, async () => {
    const { stdout } = await cli('status', second.moveId);
    return stdout.includes('running (queued)') && stdout.includes(says);
  });
  expect((await cli('abort', first, '--reason', 'the other one is to go')).exitCode).toBe(EXIT.ok);
  for await (const { state } of client.moves.follow(second.moveId))
    if (state !== 'running') expect(state).toBe('moved');
});

async function* chunksOf(path: string): AsyncGenerator<Chunk> {
  const chunkBytes = 1024 * 1024;
  const file = await open(path);
  try {
    const { size } = await file.stat();
    for (let offset = 0; offset < size; offset += chunkBytes) {
      const { buffer } = await file.read(Buffer.alloc(chunkBytes), 0, chunkBytes, offset);
      yield { offset, data: buffer };
    }
  } finally {
    await file.close();
  }
}
