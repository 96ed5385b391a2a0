// Schedules by the command line on an estate of real processes: made, shown, and waited for.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { z } from 'zod';
import { EXIT } from '../../../client/cli/exit-code.js';
import type { BatchInput } from '../../../contracts/batch.js';
import type { Ran } from '../../support/cli.js';
import type { CommandEstate } from '../../support/command-estate.js';
import { COSTLY_POLL_INTERVAL_MS, PATIENCE_MS, until } from '../../support/until.js';

/** A time that does not come during a test. */
export const NEW_YEAR = '0 1 1 1 *';

const shownSchema = z.object({
  name: z.string(),
  when: z.string(),
  paused: z.boolean(),
  note: z.string().optional(),
  timeZone: z.string().optional(),
  overlap: z.string(),
  catchUpMs: z.number(),
  jitterMs: z.number(),
  pauseOnFailure: z.boolean(),
  action: z.object({ input: z.unknown(), workflowType: z.string(), workflowId: z.string() }),
  runningNow: z.number(),
  runs: z.object({ started: z.number(), skippedForOverlap: z.number() }),
  /** The newest one first. */
  lastRuns: z.array(z.object({ outcome: z.string(), batch: z.string(), workflowId: z.string() })),
  warnings: z.array(z.object({ about: z.string() })),
});
type Shown = z.infer<typeof shownSchema>;

export async function showSchedule(testbed: CommandEstate, name: string): Promise<Shown> {
  const { exitCode, stdout, stderr } = await testbed.cli('schedule', 'show', name, '--json');
  if (exitCode !== EXIT.ok) throw new Error(`Schedule "${name}" could not be shown: ${stdout}${stderr}`);
  return shownSchema.parse(JSON.parse(stdout));
}

/**
 * Its time does not come during a test unless the words say so: what runs, was asked to.
 * @param batch anything: what is refused is the answer
 */
export async function tryToCreateSchedule(
  testbed: CommandEstate,
  name: string,
  batch: unknown,
  ...words: readonly string[]
): Promise<Ran> {
  const path = join(testbed.folder, `${name}.json`);
  await writeFile(path, JSON.stringify(batch));
  const times = words.includes('--cron') || words.includes('--at') ? [] : ['--cron', NEW_YEAR];
  const zone = words.includes('--time-zone') ? [] : ['--time-zone', 'UTC'];
  return testbed.cli('schedule', 'create', name, ...times, ...zone, '--input', path, ...words);
}

export async function createSchedule(
  testbed: CommandEstate,
  name: string,
  batch: BatchInput,
  ...words: readonly string[]
): Promise<void> {
  expect(await tryToCreateSchedule(testbed, name, batch, ...words)).toMatchObject({ exitCode: EXIT.ok, stderr: '' });
}

/** @param outcomes of all its runs, the newest first */
export async function untilOutcomes(testbed: CommandEstate, name: string, ...outcomes: string[]): Promise<Shown> {
  const look = async (): Promise<Shown | undefined> => {
    const shown = await showSchedule(testbed, name);
    return shown.lastRuns.map(({ outcome }) => outcome).join() === outcomes.join() ? shown : undefined;
  };
  return until(`runs of ${name}: ${outcomes.join(', ')}`, PATIENCE_MS, look, COSTLY_POLL_INTERVAL_MS);
}
