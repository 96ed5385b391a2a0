// What the words of `batch start` come to as the input of a batch, and how a wrong one is refused.
import { Command, CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { batchInputOf, type BatchInputFlags, withBatchFlags } from '../../client/cli/batch-flags.js';
import { BATCH_INPUT_BYTES_MAX, BATCH_MOVES_MAX, type ParsedBatchInput } from '../../contracts/batch.js';
import { MoverError } from '../../contracts/errors.js';

const LOGIN = { USER: 'ann' };

async function inputOf(flags: readonly string[], file?: unknown): Promise<ParsedBatchInput> {
  const command = withBatchFlags(new Command('start'))
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  command.parse(flags, { from: 'user' });
  const read = async (): Promise<string> => (typeof file === 'string' ? file : JSON.stringify(file));
  return await batchInputOf(command.opts<BatchInputFlags>(), { environment: LOGIN, read });
}

async function refusalOf(flags: readonly string[], file?: unknown): Promise<string> {
  const error: unknown = await inputOf(flags, file).catch((failure: unknown) => failure);
  if (error instanceof MoverError && error.code === 'INVALID_REQUEST') return error.message;
  if (error instanceof CommanderError) return error.message;
  throw error instanceof Error ? error : new Error(`${flags.join(' ')} was accepted`);
}

test('flags alone make a whole batch', async () => {
  const flags =
    '--from cg-gold --to cg-silver --name vm-1* --vm vm-1 --label tier=gold --label app=db --concurrency 8 --per-group 2 ' +
    '--per-appliance 4 --starts-per-second 0.5 --order label=wave --on-failure stop-after=10% --retries 3 --retry-after 2m ' +
    '--at-window-end wait --expected-move 90s --canary 2 --no-approval --verify --dry-run --reason tiers';
  const input = await inputOf([...flags.split(' '), '--window', 'fri-mon 9:00-05:30 Europe/Paris']);
  expect(input).toMatchObject({
    select: { from: 'cg-gold', name: 'vm-1*', vm: 'vm-1', labels: { tier: 'gold', app: 'db' } },
    to: 'cg-silver',
    dryRun: true,
    operator: 'ann',
    reason: 'tiers',
    options: {
      concurrency: { all: 8, perSourceGroup: 2, perTargetGroup: 2, perAppliance: 4 },
      startsPerSecond: 0.5,
      order: { byLabel: 'wave' },
      failures: { policy: 'stop-after', percent: 10 },
      retries: { max: 3, backoffMs: 120_000 },
      window: { timeZone: 'Europe/Paris', start: '09:00', end: '05:30', days: ['mon', 'fri', 'sat', 'sun'] },
      atWindowEnd: 'wait',
      expectedMoveMs: 90_000,
      canary: { count: 2, approval: false },
      verify: true,
    },
  });
});

test.each([
  [
    '--volumes a,b --volumes c --to x --from y',
    { moves: ['a', 'b', 'c'].map((volume) => ({ volume, to: 'x', from: 'y' })) },
  ],
  ['--from a,b --map a=x,b=y', { select: { from: ['a', 'b'] }, map: { a: 'x', b: 'y' } }],
  ['--name * --map a=x --map b=y', { map: { a: 'x', b: 'y' } }],
  [
    '--name * --to x --on-failure stop-now --operator bob',
    { options: { failures: { policy: 'stop-now' } }, operator: 'bob' },
  ],
  ['--name * --to x --on-failure stop-after=5', { options: { failures: { policy: 'stop-after', count: 5 } } }],
])('%s is understood', async (flags, expected) => {
  expect(await inputOf(flags.split(' '))).toMatchObject(expected);
});

test('flags go on top of a file, field by field', async () => {
  const file = {
    select: { from: 'cg-gold', vm: 'vm-1' },
    map: { 'cg-gold': 'cg-silver' },
    operator: 'carla',
    options: { concurrency: { all: 5, perAppliance: 2 }, retries: { max: 1 }, verify: true },
  };
  const input = await inputOf('--input f --to cg-bronze --name disk-* --concurrency 9'.split(' '), file);
  expect(input).toMatchObject({
    select: { from: 'cg-gold', vm: 'vm-1', name: 'disk-*' },
    to: 'cg-bronze',
    operator: 'carla',
    options: { concurrency: { all: 9, perAppliance: 2 }, retries: { max: 1 }, verify: true },
  });
  expect(input.map).toBeUndefined();
});

test.each([
  ['', /--from: name the volumes/],
  ['--volumes a,b', /--to: with --volumes, name the target group/],
  ['--volumes a --to x --vm v', /--volumes: cannot be used together/],
  ['--from a', /to: with "select" give exactly one of "to" and "map"/],
  ['--name * --to x --map a=b', /--to: with "select" give exactly one/],
  ['--name * --to x --concurrency 501', /--concurrency: Too big: expected number to be <=500/],
  ['--name * --to x --retries 21', /--retries: /],
  ['--name * --to -x', /--to: letters, digits/],
  ['--volumes a,.b --to x', /--volumes: letters, digits/],
  ['--name * --to x --starts-per-second fast', /--starts-per-second: /],
  ['--name * --to x --order wave', /--order.*label=<name>/],
  ['--name * --to x --on-failure stop-after=0', /--on-failure.*stop-after=<count>/],
  ['--name * --to x --on-failure stop-after=101%', /--on-failure/],
  ['--name * --to x --label gold', /"gold" is not a label: give name=value/],
  ['--name * --map a', /"a" is not a mapping/],
  ['--name * --map a=b,a=c', /"a" is mapped twice/],
  ['--from a,,b --to x', /missing before or after a comma/],
  ['--name * --to x --canary two', /whole number/],
])('%s is refused by the name of the flag', async (flags, said) => {
  expect(await refusalOf(flags.split(' ').filter((word) => word !== ''))).toMatch(said);
});

test.each([
  ['22:00-05:00', /Give \[days\] <start>-<end> <time zone>/],
  ['22:00-24:00 UTC', /Give \[days\] <start>-<end> <time zone>/],
  ['someday 22:00-05:00 UTC', /"someday" is not a day/],
  ['22:00-05:00 Europe/Atlantis', /--window: "Europe\/Atlantis" is no time zone that this machine knows/],
])('the window %s is refused', async (window, said) => {
  expect(await refusalOf(['--name', '*', '--to', 'x', '--window', window])).toMatch(said);
});

test('a move that is expected to be longer than the window is refused by its flag', async () => {
  const flags = ['--name', '*', '--to', 'x', '--window', '22:00-22:30 UTC', '--expected-move', '31m'];
  expect(await refusalOf(flags)).toMatch(/--expected-move: a move is expected to last 1860000 ms/);
});

test('a list that is too long points to selectors, whichever limit it meets first', async () => {
  const many = Array.from({ length: BATCH_MOVES_MAX + 1 }, (_, i) => ({ volume: `v-${i}`, to: 'x' }));
  expect(await refusalOf(['--input', 'f'], { moves: many })).toMatch(
    /moves: at most 2000 moves; name more by "select"/,
  );
  expect(await refusalOf(['--to', 'x', '--volumes', many.map(({ volume }) => volume).join(',')])).toMatch(
    /--volumes: at most 2000; select more by --from, --name, --vm and --label/,
  );
  const long = Array.from({ length: 1_500 }, (_, i) => ({ volume: `${'v'.repeat(58)}${i}`, to: 'x'.repeat(64) }));
  const refused = await refusalOf(['--input', 'f'], { moves: long });
  expect(refused).toContain(`at most ${BATCH_INPUT_BYTES_MAX}`);
  expect(refused).toContain('Select the volumes by "select"');
});

test.each([
  ['{', /--input: "f" is not JSON/],
  ['[]', /--input: "f" is not a JSON object/],
  [{ moves: [{ volume: 'a' }] }, /moves\.0\.to: is missing/],
  [{ select: { group: 'a' }, to: 'x' }, /select\.group: unknown field "group"/],
])('the file %j is refused', async (file, said) => {
  expect(await refusalOf(['--input', 'f'], file)).toMatch(said);
});

test('a file that is not there is told by its name', async () => {
  const command = withBatchFlags(new Command('start'));
  command.parse(['--input', '/no/such/batch.json'], { from: 'user' });
  await expect(batchInputOf(command.opts<BatchInputFlags>(), { environment: LOGIN })).rejects.toThrow(
    /--input: "\/no\/such\/batch.json" cannot be read: /,
  );
});
