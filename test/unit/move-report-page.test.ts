// A move's report as a page for an auditor: everything that was stored, and nothing that runs.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { moveReportPage } from '../../client/moves/report/report-page.js';
import { MoverError, toProblem } from '../../contracts/errors.js';
import { madeStoredMove } from '../support/move-report.js';

const MADE_AT_MS = Date.UTC(2026, 10, 24);

test('the page has who, why, steps, cut, bookmarks, holes and attempts that were rolled back', () => {
  const page = moveReportPage(madeStoredMove(), MADE_AT_MS);
  for (const text of [
    '<dd>ann</dd>',
    '<dd>tiers</dd>',
    '>reconfigure</td>',
    '<td data-title="Epoch">1 → 2</td>',
    '<td class="number" data-title="Position">1926</td>',
    'vm-1-disk-0 left for cg-silver',
    'backlog overflow',
    'the cut was void',
    'None was asked for with this move.',
    'at 2026-11-24T00:00:00.000Z',
  ])
    expect(page).toContain(text);
});

test('the digest is that of the record on the page', () => {
  const page = moveReportPage(madeStoredMove(), MADE_AT_MS);
  const [, record = ''] = /<pre>([^]*)<\/pre>/.exec(page) ?? [];
  const text = record.replaceAll('&quot;', '"');
  expect(text).toBe(JSON.stringify(madeStoredMove()));
  expect(page).toContain(createHash('sha256').update(text).digest('hex'));
});

test('a move that failed says what that means for the data, why, and what to do', () => {
  const problem = toProblem(new MoverError('LAG_TOO_LARGE', 'The replica did not catch up.'));
  const page = moveReportPage(madeStoredMove({ outcome: 'failed', report: undefined, problem }), MADE_AT_MS);
  expect(page).toContain('vm-1-disk-0 stayed in cg-gold, protected as before. Nothing was changed.');
  expect(page).toContain('LAG_TOO_LARGE');
  expect(page).toContain('Check the link and the disks of the replica site');
});

test('a move that failed after its commit is not called unchanged', () => {
  const problem = toProblem(new MoverError('VERIFY_MISMATCH', 'They differ.'));
  const page = moveReportPage(madeStoredMove({ outcome: 'failed', problem }), MADE_AT_MS);
  expect(page).toContain('The move is committed: cg-silver owns vm-1-disk-0.');
  expect(page).not.toContain('Nothing was changed');
});

test('a move whose workflow was terminated says what became of its attempt', () => {
  const problem = toProblem(new MoverError('ATTEMPT_COMMITTED', 'The workflow of the move was terminated by <ann>.'));
  const ending = { how: 'terminated', attempt: 1, verdict: 'COMMITTED', done: 'Completed.', left: ['One is silent.'] };
  const changes = { outcome: 'terminated', report: undefined, problem, ending };
  const page = moveReportPage(madeStoredMove(changes), MADE_AT_MS);
  expect(page).toContain('The move was committed before its workflow ended: cg-silver owns vm-1-disk-0.');
  expect(page).toContain('terminated by &lt;ann&gt;.');
  expect(page).toContain('It remained: One is silent.');
  const aborted = { ...changes, ending: { ...ending, verdict: 'ABORTED', record: 'cleaned up by ann', left: [] } };
  const other = moveReportPage(madeStoredMove(aborted), MADE_AT_MS);
  expect(other).toContain('vm-1-disk-0 stayed in cg-gold, protected as before.');
  expect(other).toContain('record: cleaned up by ann');
});

test('what users wrote is text', () => {
  const page = moveReportPage(madeStoredMove({ reason: '</style><script>x</script>' }), MADE_AT_MS);
  expect(page).not.toContain('<script>');
  expect(page).toContain("default-src 'none'");
});
