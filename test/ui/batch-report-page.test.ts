// The page of a batch's report in real Chromium: readable in light and dark, its own style in
// force, nothing fetched.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { batchReportFormat } from '../../client/batches/report/formats.js';
import { BEGAN_MS, failedMove, madeBatch, madeMove } from '../support/batch-report.js';
import { PageTestbed } from './page-testbed.js';

const NASTY = '</style><script>document.title="1"</script><img src=x onerror="document.title=1"> & "quoted"';
const MOVES = 2_400;
const GROUPS = ['cg-gold', 'cg-erp', 'cg-mail'];

let testbed: PageTestbed;

beforeAll(async () => {
  testbed = await PageTestbed.start();
});

afterAll(async () => testbed.stop());

function page(): string {
  const counts = { moved: 0, failed: 0 };
  const moves = Array.from({ length: MOVES }, (_, i) => {
    const startedAtMs = BEGAN_MS + i * 1_400;
    const took = 1_800 + ((i * 7_919) % 2_300) + (i % 500 === 0 ? 40_000 : 0);
    const made = {
      from: GROUPS[i % 3] ?? '',
      to: i % 2 === 0 ? 'cg-silver' : 'cg-bronze',
      startedAtMs,
      endedAtMs: startedAtMs + took,
    };
    const failed = i % 97 === 5;
    counts[failed ? 'failed' : 'moved'] += 1;
    return failed
      ? failedMove(i, i === 5 ? NASTY : 'The group "cg-bronze" has no room for one more volume.', made)
      : madeMove(i, made);
  });
  const { report } = madeBatch();
  if (report === undefined) throw new Error('a made batch has its report');
  const [left] = madeMove(9_999).volumes;
  const batch = madeBatch({
    summary: `Every move of the batch has ended: ${counts.moved} of ${MOVES} moved, ${counts.failed} failed, 2 refused.`,
    counts: { ...report.counts, planned: MOVES, ...counts, refused: 2, alreadyThere: 12, skipped: 3 },
    operator: 'ann',
    reason: NASTY,
    leftOut:
      left === undefined
        ? []
        : [{ volumes: [left], code: 'VOLUME_NOT_FOUND', message: 'There is no volume "vm-9999-disk-0".' }],
  });
  const format = batchReportFormat('html', batch, { nowMs: BEGAN_MS, withMark: false });
  return [format.begin(), ...moves.map((move) => format.move(move)), format.end()].join('');
}

test.each(['light', 'dark'] as const)('the page of 2,400 moves is readable, in %s', async (colorScheme) => {
  await testbed.page.emulateMedia({ colorScheme });
  await testbed.open('report', page());
  expect(await testbed.page.title()).toBe('Batch weekend');
  for (const text of ['svg.chart .name', 'svg.chart .quiet'])
    expect(await testbed.contrastOf(text, 'fill'), text).toBeGreaterThanOrEqual(4.5);
  for (const text of ['.todo', '.badge', 'th', 'td'])
    expect(await testbed.contrastOf(text, 'color'), text).toBeGreaterThanOrEqual(4.5);
  // A picture's own parts need 3 to 1.
  for (const text of ['rect.moved', 'rect.failed'])
    expect(await testbed.contrastOf(text, 'fill'), text).toBeGreaterThanOrEqual(3);
  await testbed.screenshot(`batch-report-${colorScheme}`);
  await testbed.page.getByRole('heading', { name: 'By group' }).scrollIntoViewIfNeeded();
  await testbed.screenshot(`batch-report-tables-${colorScheme}`);
});

test('on a telephone each row is a card, and nothing is wider than the screen', async () => {
  await testbed.resize(400);
  const { overflow, narrowestCell } = await testbed.fit();
  expect(overflow).toBeLessThanOrEqual(0);
  expect(narrowestCell).toBeGreaterThan(280);
  const why = testbed.page.locator('section', { hasText: 'Failed' }).locator('td[data-title^="Why"]').first();
  expect((await why.boundingBox())?.height).toBeLessThan(400);
  for (const heading of ['Failed', 'By group', 'Left out by the plan', 'Moves']) {
    await testbed.page.getByRole('heading', { name: heading, exact: true }).scrollIntoViewIfNeeded();
    await testbed.screenshot(`batch-report-400-${heading.toLowerCase().replaceAll(' ', '-')}`);
  }
  await testbed.resize(1_600);
});

test('six pairs of groups are drawn, all moves summed up, and a thousand listed', async () => {
  const { page } = testbed;
  expect(await page.locator('svg.chart > g[role=img]').count()).toBe(6);
  expect(await page.getByRole('img', { name: /^cg-gold to cg-silver: \d+ moved, \d+ failed$/ }).count()).toBe(1);
  const moves = page.locator('section', { has: page.getByRole('heading', { name: 'Moves', exact: true }) });
  expect(await moves.locator('tbody tr').count()).toBe(1_000);
  expect(await moves.locator('.sub').textContent()).toContain('1,400 further rows not shown');
});

test('what users wrote is text, and nothing was fetched or went wrong', async () => {
  expect(await testbed.page.locator('script, img').count()).toBe(0);
  expect(await testbed.page.getByText(NASTY).count()).toBeGreaterThan(0);
  expect(testbed.fetchedElsewhere).toEqual([]);
  expect(testbed.errors).toEqual([]);
});
