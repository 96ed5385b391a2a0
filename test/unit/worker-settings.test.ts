// How a worker shares its host and its Temporal server, over all sources of settings.
import { describe, expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { type Estate, estateSchema } from '../../contracts/estate.js';
import { readTaskQueue, readWorkerSettings, WORKER_SETTINGS } from '../../control/worker-settings.js';

function estateWith(worker?: object): Estate {
  return estateSchema.parse({
    replicaSite: { control: { port: 1 } },
    appliances: [{ id: 'a1', control: { port: 2 }, nbd: { port: 3 } }],
    splitters: [{ id: 's1', control: { port: 4 }, nbd: { port: 5 }, volumes: [] }],
    groups: [{ id: 'g1', appliance: 'a1' }],
    worker,
  });
}

function refusalOf(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof MoverError) return error.reasons.map(({ subject, message }) => `${subject}: ${message}`);
    throw error;
  }
  throw new Error('It was accepted.');
}

/** A value for each setting, as a variable and in the estate file. */
const VALUES = Object.entries(WORKER_SETTINGS).map(([name, { variable }], i) => ({
  name,
  variable,
  text: name === 'taskQueue' ? 'mine' : String(20 + i),
  value: name === 'taskQueue' ? 'mine' : 20 + i,
}));

test.each(VALUES)('$name comes from its variable, then from the estate file', ({ name, variable, text, value }) => {
  const other = name === 'taskQueue' ? 'of-file' : 1_000;
  const estate = estateWith({ [name]: other });
  expect(readWorkerSettings({ [variable]: text }, estateWith())).toEqual({ [name]: value });
  expect(readWorkerSettings({ [variable]: '' }, estate)).toEqual({ [name]: other });
  expect(readWorkerSettings({ [variable]: text }, estate)).toEqual({ [name]: value });
});

test('a rate may be a fraction', () => {
  expect(readWorkerSettings({ VOLUME_MOVER_ACTIVITIES_PER_SECOND: '0.5' }, {})).toEqual({ activitiesPerSecond: 0.5 });
});

describe('mistakes', () => {
  test('are all told at once, each by its variable and its flag', () => {
    const told = refusalOf(() =>
      readWorkerSettings(
        {
          VOLUME_MOVER_TASK_QUEUE: 'two words',
          VOLUME_MOVER_WORKFLOW_SLOTS: '1',
          VOLUME_MOVER_ACTIVITY_SLOTS: 'many',
          VOLUME_MOVER_LOCAL_ACTIVITY_SLOTS: '1.5',
          VOLUME_MOVER_CACHED_WORKFLOWS: '-1',
          VOLUME_MOVER_ACTIVITIES_PER_SECOND: '0',
        },
        estateWith(),
      ),
    );
    expect(told).toEqual([
      'VOLUME_MOVER_TASK_QUEUE (--task-queue): a name of at most 200 characters, printable ASCII without spaces',
      'VOLUME_MOVER_WORKFLOW_SLOTS (--workflow-slots): a whole number from 2 to 100000',
      'VOLUME_MOVER_ACTIVITY_SLOTS (--activity-slots): a whole number from 1 to 100000',
      'VOLUME_MOVER_LOCAL_ACTIVITY_SLOTS (--local-activity-slots): a whole number from 1 to 100000',
      'VOLUME_MOVER_CACHED_WORKFLOWS (--cached-workflows): a whole number from 0 to 1000000',
      'VOLUME_MOVER_ACTIVITIES_PER_SECOND (--activities-per-second): a number above 0, at most 1000000',
    ]);
  });

  test('settings that contradict each other are refused, wherever they stand', () => {
    const told = refusalOf(() =>
      readWorkerSettings(
        { VOLUME_MOVER_ACTIVITY_POLLERS: '9', VOLUME_MOVER_WORKFLOW_SLOTS: '50' },
        estateWith({ activitySlots: 8, cachedWorkflows: 49 }),
      ),
    );
    expect(told).toEqual([
      'VOLUME_MOVER_ACTIVITY_POLLERS (--activity-pollers): 9 is more than VOLUME_MOVER_ACTIVITY_SLOTS (--activity-slots), which is 8: each takes a slot',
      'VOLUME_MOVER_WORKFLOW_SLOTS (--workflow-slots): 50 is more than VOLUME_MOVER_CACHED_WORKFLOWS (--cached-workflows), which is 49: each runs a cached workflow; 0 turns the cache off',
    ]);
  });

  test('no cache is no contradiction', () => {
    const settings = { VOLUME_MOVER_CACHED_WORKFLOWS: '0', VOLUME_MOVER_WORKFLOW_SLOTS: '50' };
    expect(readWorkerSettings(settings, {})).toEqual({ cachedWorkflows: 0, workflowSlots: 50 });
  });

  test('those of the estate file are named there', () => {
    const read = estateSchema.safeParse({ ...estateWith(), worker: { activitySlots: 0, polers: 3 } });
    expect(read.error?.issues.map(({ path, message }) => [path.join('.'), message])).toEqual([
      ['worker.activitySlots', 'a whole number from 1 to 100000'],
      ['worker', 'Unrecognized key: "polers"'],
    ]);
  });
});

describe('the task queue of a client', () => {
  test('is that of the workers of the same estate and environment', () => {
    expect(readTaskQueue({}, {})).toBe('volume-mover');
    expect(readTaskQueue({}, estateWith({ taskQueue: 'of-file' }))).toBe('of-file');
    expect(readTaskQueue({ VOLUME_MOVER_TASK_QUEUE: 'mine' }, estateWith({ taskQueue: 'of-file' }))).toBe('mine');
  });

  test('is read though settings that concern workers alone are wrong', () => {
    expect(readTaskQueue({ VOLUME_MOVER_ACTIVITY_SLOTS: 'many' }, {})).toBe('volume-mover');
  });
});

test('an estate file need not say anything of its workers: each then takes a free port of loopback', () => {
  expect(estateWith().worker).toEqual({ health: { host: '127.0.0.1', port: 0 } });
});
