// Moves by people who have nothing but the Temporal Web UI, in real Chromium. Screenshots are left
// in test-output/ui/.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { volumeIdSchema } from '../../contracts/ids.js';
import { MOVE_STEPS } from '../../contracts/move.js';
import { type Guest, startGuest } from '../../estate/guest/guest.js';
import { type Browser, startBrowser } from '../support/browser.js';
import { estateOf, TestEstate } from '../support/test-estate.js';
import { openStartForm, SHOWN_MS_MAX, start, type StartForm, typeInput } from './start-form.js';

const SCREENSHOTS = fileURLToPath(new URL('../../test-output/ui/', import.meta.url));
const VOLUME = 'vm-1-disk-0';

let estate: TestEstate;
let guest: Guest;
let browser: Browser;
let ui: string;

beforeAll(async () => {
  const uiUrl = inject('temporalUiUrl');
  if (uiUrl === undefined) throw new Error('The server in TEMPORAL_ADDRESS does not say where its Web UI is.');
  ui = uiUrl;
  await mkdir(SCREENSHOTS, { recursive: true });
  const groups = {
    'cg-gold': { appliance: 'appliance-1', volumes: [VOLUME] },
    'cg-silver': { appliance: 'appliance-2', volumes: ['vm-4-disk-0'] },
  };
  const temporal = { address: inject('temporalAddress'), namespace: inject('temporalNamespace'), uiUrl };
  estate = await TestEstate.start({ estate: estateOf({ groups, sizeMiB: 16 }), temporal });
  guest = await startGuest({
    address: (await estate.source(VOLUME)).address,
    volume: VOLUME,
    seed: 1,
    writesPerSecond: 100,
  });
  browser = await startBrowser();
});

afterAll(async () => {
  await browser.stop();
  await guest.stop();
  await estate.stop();
});

function form(workflowId: string, workflowType = 'moveVolume'): StartForm {
  return { ui, namespace: inject('temporalNamespace'), workflowType, workflowId };
}

async function screenshot(name: string): Promise<void> {
  await browser.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}

/** What a person can read on the page. */
async function shown(text: string | RegExp): Promise<void> {
  await browser.page.getByText(text).filter({ visible: true }).first().waitFor({ timeout: SHOWN_MS_MAX });
}

async function groupOf(volume: string): Promise<string | undefined> {
  const { volumes } = await estate.splitter().calls.inventory({ volume: volumeIdSchema.parse(volume) });
  return volumes[0]?.route.group;
}

test('a move typed into the start form completes, and its page tells the story', async () => {
  const { page } = browser;
  const move = form('ui-move');
  await openStartForm(page, move);
  await typeInput(page, `{ "volume": "${VOLUME}", "to": "cg-silver", "operator": "ann", "reason": "tier change" }`);
  await screenshot('1-start-form');
  await start(page, move);
  await shown('Completed');
  for (const [i, step] of MOVE_STEPS.entries()) await shown(`${i + 1}/5 ${step} ${VOLUME}`);
  await screenshot('2-completed');
  await shown('"outcome": "moved"');
  await page
    .getByRole('tab', { name: 'User Metadata' })
    .or(page.getByRole('link', { name: 'User Metadata' }))
    .first()
    .click();
  await page.frameLocator('iframe').getByText('verdict').waitFor({ timeout: SHOWN_MS_MAX });
  await screenshot('3-current-details');
  expect(await groupOf(VOLUME)).toBe('cg-silver');
});

/** What a person may type wrongly, and what they must be able to read then. */
const REFUSALS: readonly {
  readonly name: string;
  readonly input: string;
  readonly type?: string;
  readonly told: readonly string[];
}[] = [
  {
    name: 'unknown-field',
    input: `{ "volume": "${VOLUME}", "to": "cg-gold", "target": "x" }`,
    told: ['unknown field "target"', 'volumes, to, from, operator, reason'],
  },
  {
    name: 'missing-to',
    input: `{ "volume": "${VOLUME}" }`,
    told: ['to:', '{"volume":"vm-17-disk-0","to":"cg-silver"}'],
  },
  { name: 'a-string', input: '"cg-gold"', told: ['expected object', '{"volume":"vm-17-disk-0","to":"cg-silver"}'] },
  { name: 'nothing', input: '', told: ['nothing was given', '{"volume":"vm-17-disk-0","to":"cg-silver"}'] },
  {
    name: 'wrong-type',
    type: 'moveVolumes',
    input: `{ "volume": "${VOLUME}", "to": "cg-gold" }`,
    told: ['There is no workflow type "moveVolumes"', 'moveVolume'],
  },
  {
    name: 'unknown-volume',
    input: '{ "volume": "vm-9-disk-9", "to": "cg-gold" }',
    told: ['there is no volume', 'Remove every reason listed'],
  },
];

test.each(REFUSALS)('$name is refused at once, readable on the page', async ({ name, input, type, told }) => {
  const { page } = browser;
  const wrong = form(`ui-${name}`, type);
  await openStartForm(page, wrong);
  if (input !== '') await typeInput(page, input);
  await start(page, wrong);
  await shown('Failed');
  await screenshot(`refused-${name}`);
  for (const text of told) await shown(text);
  const handle = estate.temporal.workflow.getHandle(wrong.workflowId);
  const { events } = await handle.fetchHistory();
  expect(events?.filter((event) => event.workflowTaskFailedEventAttributes)).toEqual([]);
});
