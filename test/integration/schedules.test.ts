// Schedules of batches by the command line, on an estate of real processes and a real Temporal
// server.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT } from '../../client/cli/exit-code.js';
import { createMoverClient } from '../../client/sdk.js';
import { estateSchema } from '../../contracts/estate.js';
import { freePort } from '../../estate/temporal/free-port.js';
import { type Calendar, calendarOf, valuesOf } from '../../client/schedules/calendar.js';
import { parseCron } from '../../client/schedules/cron.js';
import type { ScheduleInput } from '../../client/schedules/schedule-input.js';
import { type BatchInput, batchInputSchema } from '../../contracts/batch.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import type { Ran } from '../support/cli.js';
import { CommandEstate } from '../support/command-estate.js';
import type { TestEstate } from '../support/test-estate.js';
import { COSTLY_POLL_INTERVAL_MS, PATIENCE_MS, until } from '../support/until.js';
import { NEW_YEAR, showSchedule, tryToCreateSchedule } from './support/schedules.js';

const MINUTE_MS = 60_000;

let testbed: CommandEstate;
let estate: TestEstate;

beforeAll(async () => {
  testbed = await CommandEstate.start();
  ({ estate } = testbed);
});

afterAll(async () => testbed.stop());

const cli = async (...words: string[]): Promise<Ran> => testbed.cli(...words);

const show = async (name: string): ReturnType<typeof showSchedule> => showSchedule(testbed, name);

const create = async (name: string, batch: unknown, ...more: string[]): Promise<Ran> =>
  tryToCreateSchedule(testbed, name, batch, ...more);

/** Waits until a run has ended; says how the newest of those did. */
async function outcomeOf(name: string): Promise<string> {
  const look = async (): Promise<string | undefined> =>
    (await show(name)).lastRuns.find(({ outcome }) => outcome !== 'running')?.outcome;
  return until(`the end of a run of ${name}`, PATIENCE_MS + MINUTE_MS, look, COSTLY_POLL_INTERVAL_MS);
}

/** One start every 10 s: the batch still runs when the test triggers its schedule again. */
const slowly = { startsPerSecond: 0.1 };

test('a schedule made by the command line, triggered, runs a batch; a second trigger meanwhile is skipped', async () => {
  const moves = [
    { volume: 'a', to: 'cg-silver' },
    { volume: 'b', to: 'cg-silver' },
  ];
  const created = await create('nightly', { moves, options: slowly }, '--jitter', '5m', '--note', 'tier change');
  expect(created.stderr).toBe('');
  expect(created.exitCode).toBe(EXIT.ok);
  expect(created.stdout).toContain('runs at 01:00 on day 1 of the month in Jan, UTC, up to 5m later');
  expect(await show('nightly')).toMatchObject({
    overlap: 'SKIP',
    catchUpMs: 600_000,
    jitterMs: 300_000,
    pauseOnFailure: true,
    note: 'tier change',
    warnings: [],
    action: { workflowType: 'moveBatch', workflowId: 'nightly-batch', input: { operator: 'schedule nightly' } },
  });

  const started = await cli('schedule', 'trigger', 'nightly');
  expect(started.exitCode).toBe(EXIT.ok);
  expect(started.stdout).toMatch(/^Started .* running: nightly-batch-\d{4}-/);
  const second = await cli('schedule', 'trigger', 'nightly');
  expect(second.exitCode).toBe(EXIT.refused);
  expect(second.stdout).toContain('Skipped: a batch of nightly still runs');

  expect(await outcomeOf('nightly')).toBe('complete');
  expect(await testbed.groupsOf('a', 'b')).toEqual(['cg-silver', 'cg-silver']);
  const { lastRuns, runs } = await show('nightly');
  expect(lastRuns.length).toBe(1);
  expect(runs.skippedForOverlap).toBe(1);
  expect((await cli('schedule', 'list')).stdout).toMatch(/^nightly .* complete +active \(tier change\)$/m);
});

test('made again under its name it is changed, and stays paused', async () => {
  const batch = { select: { from: 'cg-gold' }, to: 'cg-silver', dryRun: true };
  expect((await create('twice', batch)).stdout).toContain('Created schedule twice');
  const paused = await cli('schedule', 'pause', 'twice', '--reason', 'change freeze');
  expect(paused.stdout).toContain('twice: paused (Paused by ann: change freeze)');
  const changed = await create(
    'twice',
    { ...batch, to: 'cg-small' },
    '--overlap',
    'buffer-one',
    '--at',
    '02:30',
    '--days',
    'mon,sun',
  );
  expect(changed.stdout).toContain('Changed schedule twice');
  expect(await show('twice')).toMatchObject({
    when: 'at 02:30 on Sun and Mon, UTC',
    overlap: 'BUFFER_ONE',
    paused: true,
    note: 'Paused by ann: change freeze',
    action: { input: { to: 'cg-small' } },
    warnings: [{ about: 'overlap' }],
  });
  expect((await cli('schedule', 'resume', 'twice')).stdout).toContain('twice: active (Resumed by ann)');
  expect((await cli('schedule', 'delete', 'twice')).exitCode).toBe(EXIT.ok);
  expect((await cli('schedule', 'show', 'twice')).exitCode).toBe(EXIT.notFound);
});

test('everything is refused before anything is made, by the flags that were typed', async () => {
  const input = { select: { from: 'cg-gold' }, to: 'cg-silver' };
  const { exitCode, stderr } = await create('wrong', input, '--cron', '0 25 * * *', '--time-zone', 'Europe/Atlantis');
  expect(exitCode).toBe(EXIT.usage);
  for (const told of ['--cron: "25" is not valid as hour', '--time-zone: "Europe/Atlantis"'])
    expect(stderr).toContain(told);
  const window = '01:00-05:00 Europe/Atlantis';
  const words = ['--from', 'cg-gold', '--to', 'cg-silver', '--window', window];
  const batch = await cli('schedule', 'create', 'wrong', '--at', '01:00', '--time-zone', 'UTC', ...words);
  expect(batch.exitCode).toBe(EXIT.usage);
  expect(batch.stderr).toMatch(/--window.*Europe\/Atlantis/);
  expect((await cli('schedule', 'show', 'wrong')).exitCode).toBe(EXIT.notFound);
});

test('a group that the estate does not have is told when the schedule is made, not in its first night', async () => {
  const words = ['--at', '01:00', '--time-zone', 'UTC', '--from', 'cg-gold', '--to', 'cg-silvr'];
  const { exitCode, stderr } = await cli('schedule', 'create', 'mistyped', ...words);
  expect(exitCode).toBe(EXIT.usage);
  expect(stderr).toContain('to: there is no consistency group "cg-silvr"');
  const mapped = await create('mistyped', {
    select: { from: ['cg-gold', 'cg-gone'] },
    map: { 'cg-gold': 'cg-nowhere' },
  });
  expect(mapped.stderr).toContain('select.from: there is no consistency group "cg-gone"');
  expect(mapped.stderr).toContain('map.cg-gold: there is no consistency group "cg-nowhere"');
  expect((await cli('schedule', 'show', 'mistyped')).exitCode).toBe(EXIT.notFound);
});

test('a schedule may be made before its estate is started; it then says that the groups were not checked', async () => {
  const { appliances, ...rest } = estate.running.estate;
  const url = `http://127.0.0.1:${await freePort()}`;
  const absent = { ...rest, appliances: appliances.map((appliance) => ({ ...appliance, control: { port: 0, url } })) };
  const client = createMoverClient({
    estate: estateSchema.parse(absent),
    temporal: { client: estate.temporal, uiUrl: undefined },
  });
  const batch = { select: { from: groupIdSchema.parse('cg-gold') }, to: groupIdSchema.parse('cg-to-come') };
  const made = await client.schedules.create({ name: 'early', cron: NEW_YEAR, timeZone: 'UTC', paused: true, batch });
  expect(made).toMatchObject({ created: true, groupsChecked: false });
  await client.close();
});

test.each(['pause', 'resume', 'trigger', 'adopt', 'delete'])(
  '%s of a schedule that is not there ends with 5',
  async (command) => {
    const { exitCode, stderr } = await cli('schedule', command, 'no-such-schedule');
    expect(exitCode).toBe(EXIT.notFound);
    expect(stderr).toContain('Temporal has no schedule "no-such-schedule"');
  },
);

test('a batch that its failure policy stops pauses its schedule, which says why', async () => {
  const moves = [
    { volume: 'c', to: 'cg-silver' },
    { volume: 'd', to: 'cg-small' },
  ];
  const options: BatchInput['options'] = { canary: { count: 1, approval: true }, failures: { policy: 'stop-now' } };
  await create('stopping', { moves, options });
  expect((await cli('schedule', 'trigger', 'stopping')).exitCode).toBe(EXIT.ok);
  const workflowId = (await show('stopping')).lastRuns[0]?.workflowId ?? '';
  await testbed.untilStage(workflowId, 'waiting-for-approval');
  // The last place in the group is taken after the plan, before the turn of the second move.
  await estate.move({ volume: volumeIdSchema.parse('e'), to: groupIdSchema.parse('cg-small') });
  expect((await cli('batch', 'approve', workflowId, '--reason', 'test')).exitCode).toBe(EXIT.ok);
  expect(await outcomeOf('stopping')).toBe('stopped');
  const shown = await until('the pause', PATIENCE_MS, async () => {
    const schedule = await show('stopping');
    return schedule.paused ? schedule : undefined;
  });
  expect(shown.note).toContain('paused due to workflow failure');
  expect(await testbed.groupsOf('d')).toEqual(['cg-gold']);
});

test('a batch of a schedule ends with its window, and leaves the rest for the next one', async () => {
  // Windows open and close on whole minutes; the first move needs a while.
  const roomMs = 20_000;
  const endsAtMs = Math.ceil((Date.now() + roomMs) / MINUTE_MS) * MINUTE_MS;
  const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 16);
  const window = { timeZone: 'UTC', start: clock(endsAtMs - 3 * MINUTE_MS), end: clock(endsAtMs) };
  const moves = ['a', 'b'].map((volume) => ({ volume, to: 'cg-gold' }));
  await create('windowed', { moves, options: { window, startsPerSecond: 0.01, expectedMoveMs: 1_000 } });
  await cli('schedule', 'trigger', 'windowed');
  expect(await outcomeOf('windowed')).toBe('incomplete');
  expect(await testbed.groupsOf('a', 'b')).toEqual(['cg-gold', 'cg-silver']);
  expect((await show('windowed')).paused).toBe(false);
});

test('a run that begins too late after its time is skipped', async () => {
  await create('late', { select: { from: 'cg-silver' }, to: 'cg-gold', options: { startWithinMs: 1_000 } });
  const backfilled = await cli(
    'schedule',
    'backfill',
    'late',
    '--from',
    '2026-01-01T00:30:00Z',
    '--to',
    '2026-01-01T01:30:00Z',
  );
  expect(backfilled.stderr).toBe('');
  expect(await outcomeOf('late')).toBe('skipped-late');
  const tooLong = await cli(
    'schedule',
    'backfill',
    'late',
    '--from',
    '2026-01-01T00:00:00Z',
    '--to',
    '2026-03-01T00:00:00Z',
  );
  expect(tooLong.exitCode).toBe(EXIT.usage);
  expect(tooLong.stderr).toContain('--from: at most 31 days at once');
});

test('a schedule runs by itself when its time comes', async () => {
  const everySecond = [
    '--cron',
    '* * * * * * *',
    '--time-zone',
    'Europe/Paris',
    '--from',
    'cg-silver',
    '--to',
    'cg-gold',
  ];
  const created = await cli('schedule', 'create', 'ticking', ...everySecond, '--dry-run');
  expect(created.stderr).toBe('');
  expect(await outcomeOf('ticking')).toBe('dry-run');
  expect((await cli('schedule', 'delete', 'ticking')).stdout).toContain('Deleted schedule ticking');
});

test('a schedule made by hand is warned of, and adopted: its times, input, note and state stay', async () => {
  const input = { select: { from: 'cg-gold' }, to: 'cg-silver' };
  const byHand = {
    type: 'startWorkflow' as const,
    workflowType: 'moveBatch',
    taskQueue: 'volume-mover',
    args: [input],
  };
  const spec = { cronExpressions: ['30 2 * * 1-5'] };
  const handle = await estate.temporal.schedule.create({
    scheduleId: 'by-hand',
    spec,
    action: { ...byHand, workflowId: 'mine' },
    policies: { overlap: 'ALLOW_ALL' },
    state: { paused: true, note: 'ask Bob first' },
  });
  await estate.temporal.schedule.create({
    scheduleId: 'mistyped',
    spec,
    action: { ...byHand, workflowType: 'moveBatsh', workflowId: 'other', args: [{ ...input, form: 'cg-gold' }] },
  });
  const { stdout } = await until('both in the list', PATIENCE_MS, async () => {
    const listed = await cli('schedule', 'list');
    return listed.stdout.includes('mistyped') && listed.stdout.includes('by-hand') ? listed : undefined;
  });
  expect(stdout).toContain('warning: catchUp: a run missed in an outage may start up to 365d late');
  expect(stdout).toContain('to correct what can be corrected: volume-mover schedule adopt by-hand');
  expect(stdout).toContain('there is no workflow type "moveBatsh"');

  const before = await handle.describe();
  const adopted = await cli('schedule', 'adopt', 'by-hand', '--jitter', '1m', '--time-zone', 'Europe/Paris');
  expect(adopted.stderr).toBe('');
  for (const about of ['catchUp', 'overlap', 'pauseOnFailure', 'timeZone', 'searchAttributes'])
    expect(adopted.stdout).toContain(`- ${about}: `);
  expect(await show('by-hand')).toMatchObject({
    when: 'at 02:30 on Mon to Fri, Europe/Paris, up to 1m later',
    overlap: 'SKIP',
    catchUpMs: 600_000,
    pauseOnFailure: true,
    paused: true,
    note: 'ask Bob first',
    action: { input, workflowId: 'mine' },
    warnings: [],
  });
  const after = await handle.describe();
  expect(after.spec.calendars).toEqual(before.spec.calendars);
  expect(after.typedSearchAttributes.getAll().map(({ key }) => key.name)).toContain('ToGroup');
  expect((await cli('schedule', 'adopt', 'mistyped')).exitCode).toBe(EXIT.usage);

  await estate.temporal.schedule.create({
    scheduleId: 'unknown-source',
    spec,
    action: { ...byHand, workflowId: 'third', args: [{ ...input, select: { from: 'cg-gld' } }] },
    state: { paused: true },
  });
  const unknown = 'select.from: there is no consistency group "cg-gld"';
  expect((await cli('schedule', 'show', 'unknown-source')).stdout).toContain(
    `batch: its input would be refused: ${unknown}`,
  );
  const refused = await cli('schedule', 'adopt', 'unknown-source');
  expect(refused.exitCode).toBe(EXIT.usage);
  expect(refused.stderr).toContain(unknown);
});

test('cron texts mean to the server what they were checked as', async () => {
  const texts = [
    '*/15 1-3,22 * jan-mar mon-fri',
    '0 5 * * 5-7',
    '@monthly',
    '5/20 0 1 2 sun',
    '30 0 1 * * * 2027-2029',
  ];
  const { schedule } = estate.temporal;
  for (const [i, text] of texts.entries()) {
    const batch: BatchInput = {
      select: { from: groupIdSchema.parse('cg-gold') },
      to: groupIdSchema.parse('cg-silver'),
    };
    const input: ScheduleInput = { name: `cron-${i}`, cron: text, timeZone: 'Europe/Paris', paused: true, batch };
    await estate.client.schedules.create(input);
    const { calendars = [], timezone } = (await schedule.getHandle(`cron-${i}`).describe()).spec;
    expect(timezone).toBe('Europe/Paris');
    expect(calendars.map(calendarOf).map(values)).toEqual([values(parseCron(text).calendar)]);
  }
});

test('what --ui prints makes the same schedule, and nothing is made', async () => {
  const batch = { select: { from: 'cg-gold' }, to: 'cg-silver' };
  const { stdout } = await create('typed', batch, '--ui');
  const inputLine = /^ {2}Data: (.*)$/m.exec(stdout)?.[1] ?? '';
  expect(batchInputSchema.parse(JSON.parse(inputLine))).toMatchObject(batch);
  expect(stdout).toContain('Cron String: CRON_TZ=UTC 0 1 1 1 *');
  expect((await cli('schedule', 'show', 'typed')).exitCode).toBe(EXIT.notFound);
  await create('typed', batch);
  expect((await cli('schedule', 'show', 'typed', '--ui')).stdout).toBe(stdout);
});

function values(calendar: Calendar): Record<string, number[]> {
  return Object.fromEntries(Object.entries(calendar).map(([field, spans]) => [field, valuesOf(spans)]));
}
