// Takes the pictures of the README anew, on purpose only:
// `VOLUME_MOVER_PICTURES=1 npx vitest run --project pictures`. Everything in them is real: an
// estate, a guest that writes, moves, the page and the Temporal Web UI in Chromium.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { StartedMove } from '../../client/moves/move-client.js';
import { timelinePage } from '../../client/timeline/html/page.js';
import { createTimeline } from '../../client/timeline/timeline.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { type Guest, startGuest } from '../../estate/guest/guest.js';
import { type Browser, startBrowser } from '../support/browser.js';
import { estateOf, TestEstate } from '../support/test-estate.js';
import { untilTrue } from '../support/until.js';

const PICTURES = fileURLToPath(new URL('../../docs/pictures/', import.meta.url));
const VOLUME = 'vm-1-disk-0';
const POINTS_BETWEEN = 25;
const SHOWN_MS_MAX = 30_000;
const TIMELINE_SIZE = { width: 1200, height: 860 };
const UI_SIZE = { width: 1280, height: 980 };

let estate: TestEstate;
let guest: Guest;
let browser: Browser;
const volume = volumeIdSchema.parse(VOLUME);

beforeAll(async () => {
  await mkdir(PICTURES, { recursive: true });
  const groups = {
    'cg-gold': { appliance: 'appliance-1', volumes: [VOLUME] },
    'cg-silver': { appliance: 'appliance-2', volumes: ['vm-4-disk-0'] },
    'cg-bronze': { appliance: 'appliance-1', volumes: ['vm-3-disk-0'] },
  };
  const temporal = {
    address: inject('temporalAddress'),
    namespace: inject('temporalNamespace'),
    uiUrl: inject('temporalUiUrl'),
  };
  estate = await TestEstate.start({ estate: estateOf({ groups, sizeMiB: 16 }), temporal });
  const { address } = await estate.source(VOLUME);
  guest = await startGuest({ address, volume: VOLUME, seed: 1, writesPerSecond: 100 });
  browser = await startBrowser();
});

afterAll(async () => {
  await browser.stop();
  await guest.stop();
  await estate.stop();
});

/** Resolves when the guest's history is that much longer. */
async function morePoints(): Promise<void> {
  const { points } = await estate.client.points.list({ volume });
  const wanted = points.length + POINTS_BETWEEN;
  await untilTrue(`${wanted} points`, SHOWN_MS_MAX, async () => {
    return (await estate.client.points.list({ volume })).points.length >= wanted;
  });
}

async function moved(to: string, workflowId: string): Promise<StartedMove> {
  const started = await estate.client.moves.start({ volume: VOLUME, to, operator: 'ann' }, { workflowId });
  await estate.reportOf(started);
  await morePoints();
  return started;
}

test('the timeline page of a volume that moved twice, and a move in the Temporal Web UI', async () => {
  const { page } = browser;
  await morePoints();
  await estate.client.points.close({ group: groupIdSchema.parse('cg-gold'), bookmark: 'before the upgrade' });
  const first = await moved('cg-silver', 'move-vm-1-disk-0-to-cg-silver');
  await moved('cg-bronze', 'move-vm-1-disk-0-to-cg-bronze');

  const owner = { volume };
  const listed = await estate.client.points.history(owner);
  const nowMs = Date.now();
  const { range } = createTimeline({ owner, listed, nowMs });
  const file = join(PICTURES, 'timeline.html');
  await writeFile(file, timelinePage({ owner, listed, nowMs, range }));
  await page.setViewportSize(TIMELINE_SIZE);
  await page.goto(pathToFileURL(file).href);
  await page.locator('section:visible .lane .at').nth(5).hover();
  await page.screenshot({ path: join(PICTURES, 'timeline.png') });
  await rm(file);

  if (first.url === undefined) throw new Error('The server in TEMPORAL_ADDRESS does not say where its Web UI is.');
  await page.setViewportSize(UI_SIZE);
  await page.goto(first.url);
  await page
    .getByText(`5/5 reconfigure ${VOLUME}`)
    .filter({ visible: true })
    .first()
    .waitFor({ timeout: SHOWN_MS_MAX });
  await page.screenshot({ path: join(PICTURES, 'move-in-temporal.png') });
  expect(page.url()).toContain(first.workflowId);
});
