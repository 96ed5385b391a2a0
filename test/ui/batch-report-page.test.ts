// The page of a batch's report in real Chromium: readable in light and dark, its own style in force, nothing fetched.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { batchReportFormat } from '../../client/batch/report/formats.js';
import { BEGAN_MS, failedMove, madeBatch, madeMove } from '../support/batch-report.js';
import { type Browser, startBrowser } from '../support/browser.js';

const SCREENSHOTS = fileURLToPath(new URL('../../test-output/ui/', import.meta.url));
const NASTY = '</style><script>document.title="1"</script><img src=x onerror="document.title=1"> & "quoted"';
const MOVES = 2_400;
const GROUPS = ['cg-gold', 'cg-erp', 'cg-mail'];

let folder: string;
let path: string;
let browser: Browser;
const fetched: string[] = [];
const errors: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vm-batch-page-'));
  path = join(folder, 'report.html');
  await mkdir(SCREENSHOTS, { recursive: true });
  await writeFile(path, page());
  browser = await startBrowser();
  browser.page.on('request', (request) => fetched.push(request.url()));
  browser.page.on('pageerror', (error) => errors.push(error.message));
  browser.page.on('console', (message) => errors.push(message.text()));
});

afterAll(async () => {
  await browser.stop();
  await rm(folder, { recursive: true, force: true });
});

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
    summary: `Every move was tried: ${counts.moved} of ${MOVES} moved, ${counts.failed} failed, 2 refused.`,
    counts: { ...report.counts, planned: MOVES, ...counts, refused: 2, alreadyThere: 12, skipped: 3 },
    operator: 'ann',
    reason: NASTY,
    leftOut:
      left === undefined
        ? []
        : [{ volumes: [left], code: 'VOLUME_NOT_FOUND', message: 'There is no volume "vm-9999-disk-0".' }],
  });
  const format = batchReportFormat('html', batch, BEGAN_MS);
  return [format.begin(), ...moves.map((move) => format.move(move)), format.end()].join('');
}

/** Relative luminance and contrast as WCAG 2.2 defines them. */
async function contrastOf(selector: string, property: 'fill' | 'color'): Promise<number> {
  const read = async (query: string, name: string): Promise<number[]> => {
    const script = `getComputedStyle(document.querySelector('${query}')).getPropertyValue('${name}')`;
    return (
      String(await browser.page.evaluate<unknown>(script))
        .match(/\d+/g)
        ?.map(Number) ?? []
    );
  };
  const luminance = ([r = 0, g = 0, b = 0]: readonly number[]): number => {
    const [x = 0, y = 0, z = 0] = [r, g, b].map((c) =>
      c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const [a = 0, b = 0] = [
    luminance(await read(selector, property)),
    luminance(await read('.card', 'background-color')),
  ].toSorted((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}

test.each(['light', 'dark'] as const)('the page of 2,400 moves is readable, in %s', async (colorScheme) => {
  await browser.page.emulateMedia({ colorScheme });
  await browser.page.goto(pathToFileURL(path).href);
  expect(await browser.page.title()).toBe('Batch weekend');
  for (const text of ['svg.chart .name', 'svg.chart .quiet'])
    expect(await contrastOf(text, 'fill'), text).toBeGreaterThanOrEqual(4.5);
  for (const text of ['.todo', '.badge', 'th', 'td'])
    expect(await contrastOf(text, 'color'), text).toBeGreaterThanOrEqual(4.5);
  // A picture's own parts need 3 to 1.
  for (const text of ['rect.moved', 'rect.failed'])
    expect(await contrastOf(text, 'fill'), text).toBeGreaterThanOrEqual(3);
  await browser.page.screenshot({ path: join(SCREENSHOTS, `batch-report-${colorScheme}.png`) });
  await browser.page.getByRole('heading', { name: 'By group' }).scrollIntoViewIfNeeded();
  await browser.page.screenshot({ path: join(SCREENSHOTS, `batch-report-tables-${colorScheme}.png`) });
});

test('six pairs of groups are drawn, all moves summed up, and a thousand listed', async () => {
  const { page } = browser;
  expect(await page.locator('svg.chart > g[role=img]').count()).toBe(6);
  expect(await page.getByRole('img', { name: /^cg-gold to cg-silver: \d+ moved, \d+ failed$/ }).count()).toBe(1);
  const moves = page.locator('section', { has: page.getByRole('heading', { name: 'Moves', exact: true }) });
  expect(await moves.locator('tbody tr').count()).toBe(1_000);
  expect(await moves.locator('.sub').textContent()).toContain('1,400 further rows not shown');
});

test('what users wrote is text, and nothing was fetched or went wrong', async () => {
  expect(await browser.page.locator('script, img').count()).toBe(0);
  expect(await browser.page.getByText(NASTY).count()).toBeGreaterThan(0);
  expect(fetched.filter((url) => !url.startsWith('file:'))).toEqual([]);
  expect(errors).toEqual([]);
});
