// The page of a move's report in real Chromium: readable on a desk and on a telephone, nothing
// fetched.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { moveReportPage } from '../../client/moves/report/report-page.js';
import { BEGAN_MS } from '../support/batch-report.js';
import { madeStoredMove } from '../support/move-report.js';
import { PageTestbed } from './page-testbed.js';

let testbed: PageTestbed;

beforeAll(async () => {
  testbed = await PageTestbed.start();
});

afterAll(async () => testbed.stop());

test.each([1_600, 400])('the page fits a window of %i pixels, and fetches nothing', async (width) => {
  const page = await testbed.open('move', moveReportPage(madeStoredMove(), BEGAN_MS));
  await testbed.resize(width);
  expect((await testbed.fit()).overflow).toBeLessThanOrEqual(0);
  expect(await testbed.contrastOf('td', 'color')).toBeGreaterThanOrEqual(4.5);
  expect(await page.getByText('vm-1-disk-0 left for cg-silver').count()).toBeGreaterThan(0);
  await page.getByText('Show the record').click();
  expect((await testbed.fit()).overflow).toBeLessThanOrEqual(0);
  await testbed.screenshot(`move-report-${width}`, { fullPage: true });
  expect(testbed.fetchedElsewhere).toEqual([]);
  expect(testbed.errors).toEqual([]);
});
