// Batches by the command line, on an estate of real processes and a real Temporal server.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { EXIT } from '../../client/cli/exit-code.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { WORKER_ID } from '../../estate/launch.js';
import type { Ran } from '../support/cli.js';
import { CommandEstate } from '../support/command-estate.js';
import { FORGETTING_TEST_MS, forgetWorkflow } from '../support/forget-workflow.js';
import type { TestEstate } from '../support/test-estate.js';
import { PATIENCE_MS, until, untilTrue } from '../support/until.js';

let testbed: CommandEstate;
let estate: TestEstate;

beforeAll(async () => {
  testbed = await CommandEstate.start();
  ({ estate } = testbed);
});

afterAll(async () => testbed.stop());

const cli = async (...words: string[]): Promise<Ran> => testbed.cli(...words);

async function batch(words: string): Promise<Ran> {
  return cli('batch', ...words.split(' '));
}

async function json<S extends z.ZodType>(schema: S, words: string): Promise<z.output<S>> {
  const { stdout } = await batch(`${words} --json`);
  return schema.parse(JSON.parse(stdout));
}

const startedSchema = z.object({ batchId: z.string(), workflowId: z.string() });

let firstId = '';

test('a dry run changes nothing, is waited for, and is refused when something could not be moved', async () => {
  const { exitCode, stdout } = await batch('start --from cg-gold --to cg-silver --dry-run');
  expect(stdout).toContain('nothing was changed: 4 of 4 moves could be made now');
  expect(stdout).toMatch(/^a +cg-gold +cg-silver +4 MiB +can be made$/m);
  expect(exitCode).toBe(EXIT.ok);
  const hopeless = await batch('start --volumes a,no-such --to cg-silver --dry-run');
  expect(hopeless.exitCode).toBe(EXIT.refused);
  expect(hopeless.stdout).toContain('VOLUME_NOT_FOUND');
  expect(await testbed.groupsOf('a')).toEqual(['cg-gold']);
});

test('a batch is followed in lines to its end, and its status says the same afterwards', async () => {
  const { exitCode, stdout } = await batch('start --from cg-gold --name [ab] --to cg-silver --id none --wait');
  expect(stdout).toContain('Nothing was moved: no volume matches what the batch selects.');
  expect(exitCode).toBe(EXIT.notFound);
  const there = await batch('start --from cg-gold --to cg-gold --wait');
  expect(there.stdout).toContain('Nothing to do: every volume of the batch is in its target group already.');
  expect(there.exitCode).toBe(EXIT.ok);
  const moved = await batch('start --volumes a,b --to cg-silver --id first --reason tiers --concurrency 2 --wait');
  expect(moved.stdout).toMatch(/^Batch first@/m);
  expect(moved.stdout).toContain('Every move of the batch has ended: 2 of 2 moved.');
  expect(moved.exitCode).toBe(EXIT.ok);
  expect(await testbed.groupsOf('a', 'b')).toEqual(['cg-silver', 'cg-silver']);
  const status = await batch('status first');
  expect(status.stdout).toMatch(/^Batch first@\S+: complete$/m);
  expect(status.stdout).toContain('because tiers');
  firstId = (await json(startedSchema, 'status first')).batchId;
  expect((await batch(`watch ${firstId}`)).exitCode).toBe(EXIT.ok);
});

test('the moves of a batch are listed by its name', async () => {
  await untilTrue('both moves in the list', PATIENCE_MS, async () => {
    const { stdout } = await cli('moves', '--batch', 'first', '--outcome', 'moved');
    return /^first\/0-a@\S+ +moved /m.test(stdout) && /^first\/1-b@\S+ +moved /m.test(stdout);
  });
  expect((await cli('moves', '--batch', 'none')).stdout).toBe('No such moves.\n');
  expect((await cli('moves', '--batch', 'no-such-batch')).exitCode).toBe(EXIT.notFound);
});

test('its report can be had in four forms', async () => {
  const table = await batch('report first');
  expect(table.stdout).toMatch(/^0 +moved .* cg-gold +cg-silver +a$/m);
  const csv = await batch(`report ${firstId} --format csv`);
  expect(csv.stdout.split('\r\n')[2]).toMatch(/^1,moved,b,cg-gold,cg-silver,4194304,1,/);
  const schema = z.object({ state: z.string(), moves: z.array(z.object({ seq: z.number(), outcome: z.string() })) });
  expect(await json(schema, 'report first')).toEqual({
    state: 'complete',
    moves: [0, 1].map((seq) => ({ seq, outcome: 'moved' })),
  });
  const file = join(testbed.folder, 'deep', 'report.html');
  expect((await batch(`report first --format html --to ${file}`)).exitCode).toBe(EXIT.ok);
  expect(await readFile(file, 'utf8')).toContain('<title>Batch first</title>');
  expect((await batch(`report first --format html --to ${file}`)).exitCode).toBe(EXIT.usage);
  expect((await batch(`report first --format html --to ${file} --overwrite`)).exitCode).toBe(EXIT.ok);
});

test('a running batch is asked for everything that can be asked, and refuses in sentences with exit code 3', async () => {
  const path = join(testbed.folder, 'batch.json');
  await writeFile(path, JSON.stringify({ select: { from: 'cg-silver', name: '[ab]' }, to: 'cg-gold' }));
  const words = `start --volumes a,b,e --to cg-gold --canary 1 --id steered`;
  const started = await json(startedSchema, words);
  expect(await json(startedSchema, words)).toEqual(started);
  const other = await batch(`start --input ${path} --id steered`);
  expect(other.exitCode).toBe(EXIT.refused);
  expect(other.stderr).toContain('Another batch is running under the workflow id "steered"');
  await testbed.untilStage('steered', 'waiting-for-approval');
  const listed = z.object({
    batches: z.array(z.object({ batchId: z.string(), stage: z.string(), operator: z.string() })),
  });
  await until('the batch in the list', PATIENCE_MS, async () => {
    const { batches } = await json(listed, 'list --running');
    return batches.find(({ batchId, stage }) => batchId === started.batchId && stage === 'waiting-for-approval');
  });

  const resumed = await batch('resume steered --reason test');
  expect(resumed).toMatchObject({ exitCode: EXIT.refused, stdout: '' });
  expect(resumed.stderr).toContain('The batch is not paused, so it cannot be resumed. (BATCH_REQUEST_REFUSED)');
  expect((await batch('retry-failed steered --reason test')).stderr).toContain('No move of the batch has failed');
  expect((await batch('set-concurrency steered --reason test')).exitCode).toBe(EXIT.usage);
  const unexplained = await batch('pause steered');
  expect(unexplained).toMatchObject({ exitCode: EXIT.usage, stdout: '' });
  expect(unexplained.stderr).toContain("required option '--reason <text>' not specified");
  expect((await batch('pause steered --reason lunch')).stdout).toContain(
    'Paused: no further move starts. Running moves (0) finish, the others (2) wait.',
  );
  expect((await batch('pause steered --reason test')).exitCode).toBe(EXIT.refused);
  expect((await batch('set-concurrency steered 3 --per-group 1 --reason test')).stdout).toContain(
    'at most 3 moves run at the same time',
  );
  expect((await batch('skip steered e --reason test')).stdout).toContain('will skip the move of e');
  expect((await batch('skip steered f --reason test')).stderr).toContain('has no move of volume "f"');
  expect((await batch('status steered')).stdout).toMatch(
    /^Batch steered@\S+: paused$[^]*volume-mover batch resume steered --reason <why>$/m,
  );
  expect((await batch('status steered')).stdout).toMatch(/limits +3 at once, 1 out of a group, 1 into a group/);
  expect((await batch('resume steered --operator bob --reason back')).exitCode).toBe(EXIT.ok);
  await interruptedWatch('steered');
  expect((await batch('approve steered --reason test')).stdout).toContain('Approved. ');
  const watched = await batch('watch steered');
  expect(watched.stdout).toContain('2 of 3 moved, 1 skipped');
  expect(watched.exitCode).toBe(EXIT.ok);
  const late = await batch('pause steered --reason test');
  expect(late.exitCode).toBe(EXIT.refused);
  expect(late.stderr).toContain('has ended and cannot be changed');
  expect((await batch('retry-failed steered --reason test')).exitCode).toBe(EXIT.refused);
});

test('what failed is told with what to do, and is tried again in the batch and in a new one', async () => {
  await json(startedSchema, 'start --volumes a,b --to cg-small --canary 1 --no-approval --id again');
  // The plan leaves out what has no room; so the room has to go after it was made.
  expect((await batch('watch again')).exitCode).toBe(EXIT.failed);
  expect((await batch('status again')).stdout).toMatch(/left out: b: .*\(GROUP_FULL\)/);

  const path = join(testbed.folder, 'wave.json');
  await writeFile(
    path,
    JSON.stringify({
      moves: ['c', 'd', 'b'].map((volume) => ({ volume, to: volume === 'b' ? 'cg-small' : 'cg-silver' })),
    }),
  );
  await moveByHand('a', 'cg-gold');
  await batch(`start --input ${path} --canary 2 --id failing --on-failure continue`);
  await testbed.untilStage('failing', 'waiting-for-approval');
  await moveByHand('a', 'cg-small');
  expect((await batch('approve failing --reason test')).exitCode).toBe(EXIT.ok);
  const watched = await batch('watch failing');
  expect(watched.exitCode).toBe(EXIT.failed);
  expect(watched.stdout).toMatch(/failed: b → cg-small: /);
  expect(watched.stdout).toContain('what to do: ');
  expect((await batch('report failing')).stdout).toMatch(/Failed:\n {2}b → cg-small: /);

  await moveByHand('a', 'cg-gold');
  const retried = await batch('retry-failed failing --id second-try --wait --reason test');
  expect(retried.stderr).toContain('The batch has ended. A new batch retries its one failed move: ');
  expect(retried.stdout).toContain('1 of 1 moved');
  expect(retried.exitCode).toBe(EXIT.ok);
  expect(await testbed.groupsOf('b')).toEqual(['cg-small']);
  await untilTrue('the new batch in the list', PATIENCE_MS, async () => {
    const { stdout } = await batch('list --outcome complete --limit 5');
    return /^second-try@\S+ +complete .* 1 of 1 /m.test(stdout);
  });
});

test('an aborted batch ends as incomplete, with exit code 1', async () => {
  await json(startedSchema, 'start --volumes a,f --to cg-silver --canary 1 --id aborted');
  await testbed.untilStage('aborted', 'waiting-for-approval');
  expect((await batch('abort aborted --roll-back --reason no')).stdout).toContain('Aborting: ');
  const watched = await batch('watch aborted');
  expect(watched.exitCode).toBe(EXIT.failed);
  expect(watched.stdout).toContain('ann aborted the batch: no.');
});

test('limits that no worker tells are not replaced', async () => {
  await json(startedSchema, 'start --volumes c,d --to cg-gold --canary 1 --concurrency 7 --id silent');
  await testbed.untilStage('silent', 'waiting-for-approval');
  const worker = estate.process(WORKER_ID);
  worker.signal('SIGSTOP');
  const unknown = await batch('set-concurrency silent --per-group 1 --reason test').finally(() =>
    worker.signal('SIGCONT'),
  );
  expect(unknown.exitCode).toBe(EXIT.unreachable);
  expect(unknown.stderr).toContain('so none was changed');
  expect((await batch('status silent')).stdout).toMatch(/limits +7 at once$/m);
  expect((await batch('abort silent --reason test')).exitCode).toBe(EXIT.ok);
  expect((await batch('watch silent')).exitCode).toBe(EXIT.failed);
});

test(
  'a batch that Temporal has forgotten is known by its stored report',
  async () => {
    const before = await batch(`report ${firstId} --format csv`);
    await forgetWorkflow(estate.temporal, firstId);
    const status = await batch(`status ${firstId}`);
    expect(status.exitCode).toBe(EXIT.ok);
    expect(status.stdout).toContain('Every move of the batch has ended: 2 of 2 moved.');
    expect(await batch(`report ${firstId} --format csv`)).toEqual(before);
  },
  FORGETTING_TEST_MS,
);

test('what is no batch is not found, and a batch that cannot be planned has its reason’s exit code', async () => {
  for (const words of [
    'status none-such',
    'watch none-such',
    'report none-such',
    'pause none-such --reason test',
    `status ${firstId.replace('first', 'other')}`,
  ])
    expect((await batch(words)).exitCode, words).toBe(EXIT.notFound);
  const unplanned = await batch('start --name * --to cg-none --wait');
  expect(unplanned.exitCode).toBe(EXIT.notFound);
  expect(unplanned.stderr).toContain('--to: there is no consistency group "cg-none"');
  const mistyped = await batch('start --from cg-gld --to cg-silver --id mistyped --wait');
  expect(mistyped.exitCode).toBe(EXIT.notFound);
  expect(mistyped.stderr).toContain('--from: there is no consistency group "cg-gld"');
  expect((await batch('status mistyped')).exitCode).toBe(EXIT.notFound);
  expect((await batch(`start --name * --to x --id ${'i'.repeat(200)}`)).stderr).toContain(
    'The id of the batch is too long',
  );
});

async function moveByHand(volume: string, to: string): Promise<void> {
  await estate.move({ volume: volumeIdSchema.parse(volume), to: groupIdSchema.parse(to) });
}

/** What Ctrl-C does, while the batch waits for something. */
async function interruptedWatch(id: string): Promise<void> {
  const before = process.listenerCount('SIGINT');
  const watching = batch(`watch ${id}`);
  await untilTrue('a command that listens', PATIENCE_MS, async () => process.listenerCount('SIGINT') > before);
  process.emit('SIGINT');
  const { exitCode, stdout } = await watching;
  expect(exitCode).toBe(EXIT.interrupted);
  expect(stdout).toMatch(/^Interrupted: batch \S+ goes on\. Watch it again with: volume-mover batch watch/m);
}
