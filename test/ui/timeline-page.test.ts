// The page of a timeline in real Chromium: read by pointing and by keyboard, in light and dark,
// with nothing fetched.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ListedPoints, PointOwner } from '../../client/points/list.js';
import { timelinePage } from '../../client/timeline/html/page.js';
import { createTimeline } from '../../client/timeline/timeline.js';
import { GROUP, historyOf, NOON_MS, VOLUME } from '../support/history.js';
import { PageTestbed } from './page-testbed.js';

const HOUR_MS = 3_600_000;
const ago = (hours: number): number => NOON_MS - hours * HOUR_MS;
const NASTY_NAME = '</script><img src=x onerror="document.title=1"> & "quoted"';

/** 25,000 points, one each 10 s, and a bookmark that tries to be markup. */
const MOVED = historyOf({
  owners: [
    { group: 'cg-gold', fromMs: ago(69.5), toMs: ago(40) },
    { group: 'cg-silver', fromMs: ago(40) },
  ],
  points: Array.from({ length: 25_000 }, (_, index) => {
    const atMs = NOON_MS - (25_000 - index) * 10_000;
    const group = atMs < ago(40) ? 'cg-gold' : 'cg-silver';
    const bookmark = index === 5_000 ? ({ name: NASTY_NAME, keep: 'forever' } as const) : undefined;
    return { id: `p-${index}`, atMs, group, ...(bookmark === undefined ? {} : { bookmark }) };
  }),
  holes: [{ sinceMs: ago(30), untilMs: ago(24) }],
});

const LEFT_OUT = historyOf({
  owners: [
    { group: 'cg-a', volume: 'vm-1', fromMs: ago(3) },
    { group: 'cg-a', volume: 'vm-2', fromMs: ago(3) },
  ],
  points: [
    { id: 'p-1', atMs: ago(2), volumes: ['vm-1', 'vm-2'] },
    { id: 'p-2', atMs: ago(1), volumes: ['vm-1'], leftOut: { 'vm-2': 'unreachable' } },
  ],
});

let testbed: PageTestbed;

beforeAll(async () => {
  testbed = await PageTestbed.start();
});

afterAll(async () => testbed.stop());

async function openPage(name: string, owner: PointOwner, listed: ListedPoints): Promise<Page> {
  const { range } = createTimeline({ owner, listed, nowMs: NOON_MS });
  return await testbed.open(name, timelinePage({ owner, listed, nowMs: NOON_MS, range }));
}

async function detail(page: Page, term: string): Promise<string> {
  const found = page.locator('#details-body dl').first().locator(`dt:text-is("${term}") + dd`);
  return (await found.textContent()) ?? '';
}

test.each(['light', 'dark'] as const)(
  'twenty-five thousand points open at once and can be read on hover, in %s',
  async (colorScheme) => {
    await testbed.page.emulateMedia({ colorScheme });
    const page = await openPage('moved', VOLUME, MOVED);
    const columns = page.locator('section:visible .lane .at');
    expect(await columns.count()).toBeLessThan(1_000);
    await columns.nth(20).hover();
    expect(await detail(page, 'Point')).toMatch(/^p-\d+$/);
    expect(await detail(page, 'Time')).toMatch(/^2026-11-2\dT/);
    expect(await detail(page, 'Group')).toBe('cg-gold');
    expect(await detail(page, 'Volumes')).toBe('vm-1 (position 1)');
    expect(await page.locator('#details-body').textContent()).toMatch(
      /and \d+ more here.*volume-mover points vm-1 --list/,
    );
    for (const text of ['svg.chart .name', 'svg.chart .quiet', 'svg .hole-label'])
      expect(await testbed.contrastOf(text, 'fill'), text).toBeGreaterThanOrEqual(4.5);
    await testbed.screenshot(`timeline-${colorScheme}`, { fullPage: true });
  },
);

test('on a telephone each bookmark is a card, and nothing is wider than the screen', async () => {
  await openPage('narrow', VOLUME, MOVED);
  await testbed.resize(400);
  const { overflow, narrowestCell } = await testbed.fit();
  expect(overflow).toBeLessThanOrEqual(0);
  expect(narrowestCell).toBeGreaterThan(280);
  await testbed.screenshot('timeline-400', { fullPage: true });
  await testbed.resize(1_600);
});

test('a bookmark’s name is text wherever it is shown', async () => {
  const page = await openPage('nasty', VOLUME, MOVED);
  await page
    .getByRole('img', { name: /^Bookmark A/ })
    .first()
    .hover();
  expect(await detail(page, 'Bookmark')).toBe(NASTY_NAME);
  expect(await detail(page, 'Kept')).toBe('for ever');
  expect(await page.getByRole('cell', { name: NASTY_NAME }).count()).toBe(1);
  expect(await page.locator('img').count()).toBe(0);
  expect(await page.title()).toBe('Recovery points of volume vm-1');
});

test('by keyboard one goes from column to column and from lane to lane, and reads why a volume was left out', async () => {
  const page = await openPage('left-out', GROUP, LEFT_OUT);
  await page.keyboard.press('Tab');
  expect(await detail(page, 'Point')).toBe('p-2');
  expect(await detail(page, 'Left out')).toBe('vm-2 (unreachable)');
  await page.keyboard.press('ArrowLeft');
  expect(await detail(page, 'Point')).toBe('p-1');
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowDown');
  expect(await page.locator('.at:focus').getAttribute('aria-label')).toMatch(/^left out of 1 point at /);
});

test('what a click holds stays while the pointer moves on', async () => {
  const page = await openPage('held', GROUP, LEFT_OUT);
  const columns = page.locator('.lane').first().locator('.at');
  await columns.nth(0).click();
  await columns.nth(1).hover();
  expect(await detail(page, 'Point')).toBe('p-1');
  await page.keyboard.press('Escape');
  await columns.nth(0).hover();
  await columns.nth(1).hover();
  expect(await detail(page, 'Point')).toBe('p-2');
});

test('a shorter span can be chosen', async () => {
  const page = await openPage('spans', VOLUME, MOVED);
  await page.getByRole('button', { name: 'Last hour' }).click();
  const shown = page.locator('section:visible svg.chart');
  expect(await shown.count()).toBe(1);
  expect(await shown.getAttribute('aria-label')).toContain('2026-11-23T11:00:00.000Z');
  expect(await shown.locator('.name').allTextContents()).toEqual([expect.stringContaining('cg-silver')]);
});

test('nothing was fetched but the pages themselves, and nothing went wrong in them', () => {
  expect(testbed.fetchedElsewhere).toEqual([]);
  expect(testbed.fetched.every((url) => url.endsWith('.html'))).toBe(true);
  expect(testbed.errors).toEqual([]);
});
