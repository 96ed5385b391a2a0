// The page of a batch's report: texts by users never become markup, whatever they hold.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batchReportFormat } from '../../client/batches/report/formats.js';
import { failedMove, madeBatch, madeMove } from '../support/batch-report.js';

const NASTY = fc.constantFrom(
  '<',
  '>',
  '"',
  "'",
  '&',
  '</style>',
  '<script>',
  '<!--',
  '-->',
  ']]>',
  '&lt;',
  '\u202e',
  '\u0000',
  'a',
);
const TEXT = fc.oneof(
  fc.string({ unit: NASTY, minLength: 1, maxLength: 10 }),
  fc.string({ unit: 'grapheme', minLength: 1 }),
);

function pageWith(text: string): string {
  const batch = madeBatch({
    summary: text,
    operator: text,
    reason: text,
    leftOut: [{ volumes: madeMove(0).volumes.slice(), code: 'GROUP_FULL', message: text }],
  });
  const format = batchReportFormat('html', batch, { nowMs: batch.endedAtMs ?? 0, withMark: false });
  return [format.begin(), format.move(madeMove(0)), format.move(failedMove(1, text)), format.end()].join('');
}

/** Everything that a browser takes for markup, in its order. */
function markupOf(page: string): string[] {
  return page.match(/<[^>]*>?/g) ?? [];
}

test('the markup of a page is the same whatever its texts are', () => {
  const plain = markupOf(pageWith('text'));
  fc.assert(
    fc.property(TEXT, (text) => {
      expect(markupOf(pageWith(text))).toEqual(plain);
    }),
  );
});
