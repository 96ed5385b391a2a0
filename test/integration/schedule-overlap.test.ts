// What becomes of a run whose time comes while the one before still runs, by each policy, on the
// real Temporal server.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { EXIT } from '../../client/cli/exit-code.js';
import type { Ran } from '../support/cli.js';
import { CommandEstate } from '../support/command-estate.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';
import { HOUR_MS, windowOf } from './support/batch-testbed.js';
import { createSchedule, showSchedule, untilOutcomes } from './support/schedules.js';

const TEST_MS_MAX = 3 * PATIENCE_MS;

let testbed: CommandEstate;
/** The schedule of the test. */
let name: string;

beforeAll(async () => {
  testbed = await CommandEstate.start();
});

afterEach(async () => {
  await cli('schedule', 'delete', name);
});

afterAll(async () => testbed.stop());

const cli = async (...words: string[]): Promise<Ran> => testbed.cli(...words);

/** A batch that moves nothing and runs until somebody ends it: its window is not yet open. */
async function create(overlap: string): Promise<void> {
  name = `overlap-${overlap}`;
  const window = windowOf(Date.now() + 2 * HOUR_MS, Date.now() + 3 * HOUR_MS);
  const batch = { moves: [{ volume: 'a', to: 'cg-silver' }], options: { window } };
  await createSchedule(testbed, name, batch, '--overlap', overlap);
}

/** The ids of runs name the second they are of: a second run in the same one would be the same. */
async function trigger(): Promise<Ran> {
  const nowS = Math.floor(Date.now() / 1_000);
  await untilTrue('the next second', PATIENCE_MS, async () => Date.now() / 1_000 >= nowS + 1);
  return cli('schedule', 'trigger', name);
}

const waits = { exitCode: EXIT.ok, stdout: expect.stringContaining('starts when the running one has ended') as string };

/** Ends the newest run, without a failure. */
async function endNewest(): Promise<void> {
  const workflowId = (await showSchedule(testbed, name)).lastRuns[0]?.workflowId ?? '';
  await testbed.untilStage(workflowId, 'waiting-for-window');
  expect(await cli('batch', 'abort', workflowId, '--reason', 'enough')).toMatchObject({ exitCode: EXIT.ok });
}

test(
  'buffer-one: one waits for its turn, further ones are dropped',
  async () => {
    await create('buffer-one');
    expect((await trigger()).stdout).toMatch(/^Started /);
    expect(await trigger()).toMatchObject(waits);
    expect(await trigger()).toMatchObject({ exitCode: EXIT.refused });
    expect((await showSchedule(testbed, name)).runningNow).toBe(1);
    await endNewest();
    await untilOutcomes(testbed, name, 'running', 'incomplete');
    await endNewest();
    const { runs, overlap } = await untilOutcomes(testbed, name, 'incomplete', 'incomplete');
    expect({ runs, overlap }).toEqual({ runs: { started: 2, skippedForOverlap: 1 }, overlap: 'BUFFER_ONE' });
  },
  TEST_MS_MAX,
);

test(
  'buffer-all: each waits for its turn',
  async () => {
    await create('buffer-all');
    expect((await trigger()).stdout).toMatch(/^Started /);
    for (let i = 0; i < 2; i += 1) expect(await trigger()).toMatchObject(waits);
    const outcomes = ['running'];
    for (let i = 0; i < 2; i += 1) {
      await endNewest();
      outcomes.push('incomplete');
      expect((await untilOutcomes(testbed, name, ...outcomes)).runningNow).toBe(1);
    }
    await endNewest();
    const { runs } = await untilOutcomes(testbed, name, 'incomplete', 'incomplete', 'incomplete');
    expect(runs).toEqual({ started: 3, skippedForOverlap: 0 });
  },
  TEST_MS_MAX,
);

test.each([
  // Cancelled, a batch still tells what it has left undone.
  { policy: 'cancel-other', status: 'CANCELLED', ends: 'cancelled' },
  { policy: 'terminate-other', status: 'TERMINATED', ends: 'terminated' },
])(
  '$policy: the one before ends as $status, which pauses no schedule, and the new one runs',
  async ({ policy, status, ends }) => {
    await create(policy);
    expect((await trigger()).stdout).toMatch(/^Started /);
    await untilOutcomes(testbed, name, 'running');
    expect((await trigger()).stdout).toMatch(/^Started /);
    const { paused, runningNow, lastRuns } = await untilOutcomes(testbed, name, 'running', ends);
    expect({ paused, runningNow }).toEqual({ paused: false, runningNow: 1 });
    const before = testbed.estate.temporal.workflow.getHandle(lastRuns[1]?.workflowId ?? '');
    expect(await before.describe()).toMatchObject({ status: { name: status } });
    await endNewest();
    await untilOutcomes(testbed, name, 'incomplete', ends);
  },
  TEST_MS_MAX,
);

test(
  'allow-all: both run at once',
  async () => {
    await create('allow-all');
    for (let i = 0; i < 2; i += 1) expect((await trigger()).stdout).toMatch(/^Started /);
    const { lastRuns } = await untilOutcomes(testbed, name, 'running', 'running');
    for (const { workflowId } of lastRuns)
      expect((await cli('batch', 'abort', workflowId, '--reason', 'test')).stdout, workflowId).toContain('Aborting: ');
    await untilOutcomes(testbed, name, 'incomplete', 'incomplete');
  },
  TEST_MS_MAX,
);

test('a trigger may name another policy than its schedule has', async () => {
  await create('skip');
  expect((await trigger()).stdout).toMatch(/^Started /);
  expect(await trigger()).toMatchObject({ exitCode: EXIT.refused });
  expect((await cli('schedule', 'trigger', name, '--overlap', 'terminate-other')).stdout).toMatch(/^Started /);
  await untilOutcomes(testbed, name, 'running', 'terminated');
  await endNewest();
  await untilOutcomes(testbed, name, 'incomplete', 'terminated');
});
