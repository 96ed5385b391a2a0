// What a schedule is made from, refused by field before anything is made; its form for the UI; and
// what is warned of.
import { expect, test } from 'vitest';
import { batchInputSchema } from '../../contracts/batch.js';
import { MoverError, type Reason } from '../../contracts/errors.js';
import { groupIdSchema } from '../../contracts/ids.js';
import { checkSchedule, type ScheduleInput } from '../../client/schedules/schedule-input.js';
import { actionOf } from '../../client/schedules/schedule-action.js';
import { warningsOf } from '../../client/schedules/schedule-warnings.js';
import { withoutDefaults } from '../../client/schedules/without-defaults.js';
import { uiFormOf } from '../../client/schedules/ui-form.js';

const GOLD = groupIdSchema.parse('cg-gold');
const SILVER = groupIdSchema.parse('cg-silver');

const GOOD: ScheduleInput = {
  name: 'nightly',
  cron: '0 1 * * *',
  timeZone: 'Europe/Paris',
  batch: { select: { from: GOLD }, to: SILVER },
};

function refusalsOf(changes: Partial<ScheduleInput>): readonly Reason[] {
  try {
    checkSchedule({ ...GOOD, ...changes });
    return [];
  } catch (error) {
    if (error instanceof MoverError) return error.reasons;
    throw error;
  }
}

test('what is left out is safe: skip, ten minutes of catch-up, pause on failure', () => {
  expect(checkSchedule(GOOD)).toMatchObject({
    overlap: 'SKIP',
    catchUpMs: 600_000,
    pauseOnFailure: true,
    jitterMs: 0,
    spec: { cronExpressions: ['0 1 * * *'], timezone: 'Europe/Paris' },
    batch: { operator: 'schedule nightly', to: 'cg-silver' },
  });
});

test('each time of day is a calendar of its own, on its days', () => {
  const { cron: _cron, ...rest } = GOOD;
  const { spec } = checkSchedule({ ...rest, at: ['01:00', '13:30'], days: ['mon', 'sun'] });
  expect(spec.calendars).toMatchObject([
    { hour: [{ start: 1 }], minute: [{ start: 0 }], dayOfWeek: [{ start: 'MONDAY' }, { start: 'SUNDAY' }] },
    { hour: [{ start: 13 }], minute: [{ start: 30 }] },
  ]);
});

test.each<[string, Partial<ScheduleInput>, string]>([
  ['name', { name: 'every night' }, 'letters, digits'],
  ['cron', { cron: '0 25 * * *' }, '"25" is not valid as hour'],
  ['cron', { cron: '0 1 30 2 *' }, 'there is no such day in any year'],
  ['cron', { at: ['01:00'] }, 'exactly one of'],
  ['cron', { cron: undefined }, 'exactly one of'],
  ['cron', { cron: 'CRON_TZ=UTC 0 1 * * *' }, 'one schedule has one time zone'],
  ['cron', { cron: 'CRON_TZ=Mars/North 0 1 * * *', timeZone: undefined }, '"Mars/North" is no time zone'],
  ['at.0', { cron: undefined, at: ['1:00'] }, 'HH:MM'],
  ['days', { days: ['mon'] }, 'only with "at"'],
  ['timeZone', { timeZone: 'Europe/Atlantis' }, 'is no time zone'],
  ['timeZone', { timeZone: undefined }, 'name the time zone'],
  ['catchUpMs', { catchUpMs: 1_000 }, '10000'],
  ['batch.to', { batch: { select: { from: GOLD } } }, 'exactly one of "to" and "map"'],
  [
    'batch.options.window.timeZone',
    {
      batch: {
        ...GOOD.batch,
        options: { window: { timeZone: 'Europe/Atlantis', start: '01:00', end: '05:00' } },
      },
    },
    'Europe/Atlantis',
  ],
  [
    'batch.options.expectedMoveMs',
    {
      batch: {
        ...GOOD.batch,
        options: { expectedMoveMs: 3_600_000, window: { timeZone: 'UTC', start: '01:00', end: '01:30' } },
      },
    },
    'longer than the window',
  ],
])('%s is refused in %j: %s', (subject, changes, told) => {
  const reasons = refusalsOf(changes);
  expect(reasons.map((reason) => reason.subject)).toContain(subject);
  expect(reasons.find((reason) => reason.subject === subject)?.message).toContain(told);
});

test('several faults are told at once', () => {
  const subjects = refusalsOf({ timeZone: 'Nowhere', cron: 'x', catchUpMs: 1 }).map(({ subject }) => subject);
  expect(subjects.toSorted()).toEqual(['catchUpMs', 'cron', 'timeZone']);
});

test('the form gets each value on one line, the hours of one rhythm in one cron text', () => {
  const { cron: _cron, ...rest } = GOOD;
  const checked = checkSchedule({ ...rest, at: ['01:00', '13:00', '02:30'] });
  const { fields, cannot } = uiFormOf({
    name: 'nightly',
    action: { workflowType: 'moveBatch', workflowId: 'nightly-batch', taskQueue: 'volume-mover', input: checked.batch },
    times: checked.times,
    timeZone: checked.zone,
    hasMoreTimes: false,
    formUrl: undefined,
  });
  expect(Object.fromEntries(fields.map(({ field, value }) => [field, value]))).toEqual({
    Name: 'nightly',
    'Workflow Type': 'moveBatch',
    'Workflow Id': 'nightly-batch',
    'Task Queue': 'volume-mover',
    Data: '{"operator":"schedule nightly","select":{"from":"cg-gold"},"to":"cg-silver"}',
    'Cron String': 'CRON_TZ=Europe/Paris 0 1,13 * * *',
  });
  expect(cannot.join('\n')).toContain('CRON_TZ=Europe/Paris 30 2 * * *');
});

test('a batch is kept as short as it can be said', () => {
  const short = {
    ...GOOD.batch,
    options: { startsPerSecond: 2, concurrency: { all: 5 }, retries: { max: 1, backoffMs: 60_000 } },
  };
  expect(withoutDefaults(batchInputSchema.parse(short))).toEqual(short);
  const { options: _options, ...plain } = batchInputSchema.parse(GOOD.batch);
  expect(withoutDefaults({ ...plain, dryRun: true, options: batchInputSchema.parse(GOOD.batch).options })).toEqual({
    ...GOOD.batch,
    dryRun: true,
  });
});

type Described = Parameters<typeof warningsOf>[0];
const KNOWN = { taskQueue: 'volume-mover', hasWorkers: true, groups: undefined };

function described(changes: { [K in keyof Described]?: Partial<Described[K]> } = {}): Described {
  const checked = checkSchedule(GOOD);
  return {
    spec: { timezone: 'Europe/Paris', ...changes.spec },
    policies: { overlap: 'SKIP', catchupWindow: 600_000, pauseOnFailure: true, ...changes.policies },
    action: { workflowId: 'nightly-batch', ...seen(checked), ...changes.action },
    info: {
      recentActions: [],
      nextActionTimes: [new Date()],
      numActionsTaken: 0,
      numActionsMissedCatchupWindow: 0,
      numActionsSkippedOverlap: 0,
      createdAt: new Date(),
      lastUpdatedAt: undefined,
      runningActions: [],
      ...changes.info,
    },
  };
}

function seen(checked: ReturnType<typeof checkSchedule>) {
  const { typedSearchAttributes } = actionOf(checked, {});
  return {
    type: 'startWorkflow' as const,
    workflowType: 'moveBatch',
    taskQueue: 'volume-mover',
    args: [checked.batch],
    ...(typedSearchAttributes === undefined ? {} : { typedSearchAttributes }),
  };
}

test('nothing is warned of a schedule as the command makes it', () => {
  expect(warningsOf(described(), KNOWN)).toEqual([]);
});

test.each<[string, Parameters<typeof described>[0], boolean]>([
  ['catchUp', { policies: { catchupWindow: 31_536_000_000 } }, true],
  ['overlap', { policies: { overlap: 'ALLOW_ALL' } }, true],
  ['pauseOnFailure', { policies: { pauseOnFailure: false } }, true],
  ['timeZone', { spec: { timezone: '' } }, true],
  ['times', { info: { nextActionTimes: [] } }, false],
  ['workflowType', { action: { workflowType: 'moveBatches' } }, false],
  ['workflowType', { action: { workflowType: 'moveVolume' } }, false],
  ['taskQueue', { action: { taskQueue: 'volume_mover' } }, false],
  ['batch', { action: { args: [{ select: {} }] } }, false],
  ['batch', { action: { args: [] } }, false],
])('%s is warned of: %j', (about, changes, adoptable) => {
  const warnings = warningsOf(described(changes), KNOWN);
  expect(warnings.length).toBeGreaterThan(0);
  expect(new Set(warnings.map((warning) => warning.about))).toEqual(new Set([about]));
  expect(warnings[0]?.adoptable).toBe(adoptable);
});

test('a task queue without workers is warned of', () => {
  expect(warningsOf(described(), { ...KNOWN, hasWorkers: false }).map(({ about }) => about)).toEqual(['taskQueue']);
});
