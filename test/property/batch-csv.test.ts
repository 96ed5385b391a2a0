// CSV by which nothing is lost and no spreadsheet is made to calculate, whatever the texts are.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { asText, csvLine } from '../../client/batches/csv.js';

const NASTY = fc.constantFrom(
  '=',
  '+',
  '-',
  '@',
  '|',
  '%',
  '＝',
  '＠',
  '"',
  ',',
  '\r',
  '\n',
  '\t',
  ' ',
  "'",
  '\u0000',
  ';',
  'a',
  '1',
);
const TEXT = fc.oneof(
  fc.string({ unit: NASTY, maxLength: 12 }),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
);
const FIELDS = fc.array(fc.oneof(TEXT, fc.integer()), { minLength: 1, maxLength: 8 });

/** Parses by RFC 4180, character by character. @throws Error for what that grammar lacks */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (let at = 0; at < text.length;) {
    let field = '';
    if (text[at] === '"') {
      for (at += 1; ; at += 1) {
        if (at >= text.length) throw new Error('a quoted field without its end');
        if (text[at] !== '"') field += text[at];
        else if (text[at + 1] === '"') {
          field += '"';
          at += 1;
        } else break;
      }
      at += 1;
    } else {
      while (at < text.length && !',\r\n'.includes(text[at] ?? '')) {
        if (text[at] === '"') throw new Error('a quote inside a field without quotes');
        field += text[at];
        at += 1;
      }
    }
    row.push(field);
    if (text[at] === ',') {
      at += 1;
      if (at === text.length) throw new Error('a line without its end');
    } else if (text.startsWith('\r\n', at)) {
      at += 2;
      rows.push(row);
      row = [];
    } else throw new Error(`a field is followed by ${JSON.stringify(text[at])}`);
  }
  return rows;
}

test('what is written is read back field by field, an apostrophe before what would be calculated', () => {
  fc.assert(
    fc.property(fc.array(FIELDS, { minLength: 1, maxLength: 5 }), (rows) => {
      const read = parseCsv(rows.map(csvLine).join(''));
      expect(read).toEqual(
        rows.map((row) => row.map((field) => (typeof field === 'number' ? String(field) : asText(field)))),
      );
    }),
  );
});

test('no text begins as a formula does, blanks and control characters before it or not', () => {
  fc.assert(
    fc.property(fc.array(TEXT, { minLength: 1, maxLength: 8 }), (fields) => {
      for (const cell of parseCsv(csvLine(fields)).flat()) {
        const [first = ''] = cell.replace(/^[\s\p{Cc}]+/u, '');
        expect('=+-@|%＝＋－＠'.includes(first) && first !== '').toBe(false);
        expect(/^[\t\r\n]/.test(cell)).toBe(false);
      }
    }),
  );
});

test('a text that no spreadsheet would calculate is left as it is', () => {
  for (const text of ['', 'vm-1-disk-0', 'cg-gold', "it's 5 = 5", '2026-11-23T22:00:00.000Z'])
    expect(asText(text)).toBe(text);
  expect(csvLine(['=1+1', -5, 'a,"b"'])).toBe('\'=1+1,-5,"a,""b"""\r\n');
});
