// Schedules by people who have nothing but the Temporal Web UI and a print of what to type, in real
// Chromium.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { EXIT } from '../../client/cli/exit-code.js';
import { type Browser, startBrowser } from '../support/browser.js';
import { type Ran, runCommand } from '../support/cli.js';
import { createNamespace } from '../support/namespace.js';
import { estateOf, TestEstate } from '../support/test-estate.js';
import { until } from '../support/until.js';
import { createSchedule, fillScheduleForm, triggerSchedule } from './schedule-form.js';
import { SHOWN_MS_MAX } from './start-form.js';

const SCREENSHOTS = fileURLToPath(new URL('../../test-output/ui/', import.meta.url));
/** A few moves, on a loaded machine. */
const BATCH_MS_MAX = 60_000;

let estate: TestEstate;
let browser: Browser;
let namespace: string;

beforeAll(async () => {
  const uiUrl = inject('temporalUiUrl');
  if (uiUrl === undefined) throw new Error('The server in TEMPORAL_ADDRESS does not say where its Web UI is.');
  await mkdir(SCREENSHOTS, { recursive: true });
  namespace = await createNamespace(inject('temporalAddress'));
  const groups = {
    'cg-gold': { appliance: 'appliance-1', volumes: ['vm-1-disk-0', 'vm-2-disk-0'] },
    'cg-silver': { appliance: 'appliance-2', volumes: ['vm-3-disk-0'] },
  };
  estate = await TestEstate.start({
    estate: estateOf({ groups, sizeMiB: 4 }),
    temporal: { address: inject('temporalAddress'), namespace, uiUrl },
  });
  browser = await startBrowser();
});

afterAll(async () => {
  await browser.stop();
  await estate.stop();
});

async function cli(...words: string[]): Promise<Ran> {
  const environment = {
    VOLUME_MOVER_ESTATE: estate.running.estateFile,
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    TEMPORAL_NAMESPACE: namespace,
  };
  return runCommand(environment, words);
}

/** What is printed for people, one field a line. */
function printedFields(text: string): { field: string; value: string }[] {
  return [...text.matchAll(/^ {2}(?<field>[A-Z][\w ]*): (?<value>.*)$/gm)].map(({ groups }) => ({
    field: groups?.['field'] ?? '',
    value: groups?.['value'] ?? '',
  }));
}

const shownSchema = z.object({
  when: z.string(),
  lastRuns: z.array(z.object({ outcome: z.string() })),
  warnings: z.array(z.object({ about: z.string() })),
  action: z.object({ input: z.unknown() }),
});

async function show(name: string): Promise<z.infer<typeof shownSchema>> {
  return shownSchema.parse(JSON.parse((await cli('schedule', 'show', name, '--json')).stdout));
}

async function screenshot(name: string): Promise<void> {
  await browser.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}

function pageOf(...path: string[]): string {
  return [inject('temporalUiUrl'), 'namespaces', namespace, 'schedules', ...path].join('/');
}

test('a schedule typed into the form as it was printed runs a batch; its faults are told, and mended', async () => {
  const { page } = browser;
  const input = join(estate.folder, 'batch.json');
  const batch = { select: { from: 'cg-gold' }, to: 'cg-silver', reason: 'tier change' };
  await writeFile(input, JSON.stringify(batch));
  const words = ['--cron', '0 1 * * *', '--time-zone', 'Europe/Paris', '--input', input, '--ui'];
  const printed = await cli('schedule', 'create', 'ui-nightly', ...words);
  expect(printed.exitCode).toBe(EXIT.ok);

  await fillScheduleForm(page, pageOf('create'), { fields: printedFields(printed.stdout) });
  await screenshot('schedule-1-form');
  await createSchedule(page);
  await page.getByText('ui-nightly').first().waitFor({ timeout: SHOWN_MS_MAX });
  expect(await show('ui-nightly')).toMatchObject({
    when: 'at 01:00 every day, Europe/Paris',
    action: { input: { ...batch, operator: 'schedule ui-nightly' } },
  });

  await triggerSchedule(page, pageOf('ui-nightly'));
  const outcome = await until('the end of the batch', BATCH_MS_MAX, async () => {
    const [run] = (await show('ui-nightly')).lastRuns;
    return run === undefined || run.outcome === 'running' ? undefined : run.outcome;
  });
  expect(outcome).toBe('complete');
  const groups = (await estate.client.volumes.list()).map(({ group }) => group);
  expect(new Set(groups)).toEqual(new Set(['cg-silver']));
  await page.reload();
  await page.getByText('Completed').filter({ visible: true }).first().waitFor({ timeout: SHOWN_MS_MAX });
  await screenshot('schedule-2-triggered');

  const listed = await cli('schedule', 'list');
  expect(listed.stdout).toContain('warning: catchUp: a run missed in an outage may start up to 365d late');
  expect(listed.stdout).toContain('warning: pauseOnFailure: ');
  expect((await cli('schedule', 'adopt', 'ui-nightly')).exitCode).toBe(EXIT.ok);
  expect(await show('ui-nightly')).toMatchObject({ when: 'at 01:00 every day, Europe/Paris', warnings: [] });
});
