// What schedules do with batches of the past and with batches that fail, by the command line on the
// real Temporal server.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT } from '../../client/cli/exit-code.js';
import { batchIdSchema, type BatchInput } from '../../contracts/batch.js';
import { groupIdSchema } from '../../contracts/ids.js';
import { CommandEstate } from '../support/command-estate.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';
import { createSchedule, showSchedule, untilOutcomes } from './support/schedules.js';

const TEST_MS_MAX = 3 * PATIENCE_MS;

let testbed: CommandEstate;

beforeAll(async () => {
  testbed = await CommandEstate.start();
});

afterAll(async () => testbed.stop());

const DRY_RUN: BatchInput = {
  select: { from: groupIdSchema.parse('cg-gold') },
  to: groupIdSchema.parse('cg-silver'),
  dryRun: true,
};

test(
  'a backfill runs a batch for each time of its period, one after another if so asked',
  async () => {
    await createSchedule(testbed, 'past', DRY_RUN, '--cron', '0 1 * * *', '--paused');
    const period = ['--from', '2026-01-05T00:00:00Z', '--to', '2026-01-07T23:00:00Z'];
    const backfilled = await testbed.cli('schedule', 'backfill', 'past', ...period, '--overlap', 'buffer-all');
    expect(backfilled).toMatchObject({ exitCode: EXIT.ok, stderr: '' });
    const { lastRuns, paused } = await untilOutcomes(testbed, 'past', 'dry-run', 'dry-run', 'dry-run');
    expect(lastRuns.map(({ workflowId }) => workflowId)).toEqual(
      ['07', '06', '05'].map((day) => `past-batch-2026-01-${day}T01:00:00Z`),
    );
    expect(paused).toBe(true);
  },
  TEST_MS_MAX,
);

test(
  'a batch that fails pauses its schedule, unless it is to go on',
  async () => {
    // There is no such batch.
    const hopeless: BatchInput = { failedOf: batchIdSchema.parse(`gone@${randomUUID()}`) };
    await createSchedule(testbed, 'careful', hopeless);
    await createSchedule(testbed, 'careless', hopeless, '--no-pause-on-failure');
    for (const name of ['careless', 'careful']) {
      expect((await testbed.cli('schedule', 'trigger', name)).exitCode).toBe(EXIT.ok);
      await untilOutcomes(testbed, name, 'failed');
    }
    await untilTrue('the pause', PATIENCE_MS, async () => (await showSchedule(testbed, 'careful')).paused);
    expect((await showSchedule(testbed, 'careful')).note).toContain('paused due to workflow failure');
    // The server has dealt with its end too: what it no longer counts as running.
    await untilTrue('the end', PATIENCE_MS, async () => (await showSchedule(testbed, 'careless')).runningNow === 0);
    expect((await showSchedule(testbed, 'careless')).paused).toBe(false);
  },
  TEST_MS_MAX,
);
