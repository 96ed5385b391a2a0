// Lines of CSV as RFC 4180 says, that no spreadsheet takes for formulas.

/**
 * What a spreadsheet evaluates when a cell begins with it, blanks before it and the wide forms of
 * East Asian input included.
 */
const FORMULA = /^[\s\p{Cc}]*[=+\-@\uFF0B\uFF0D\uFF1D\uFF20|%]/u;
/**
 * A cell that begins with one may be split into further cells, whose first characters would count
 * again.
 */
const BREAK = /^[\t\r\n]/;
const NEEDS_QUOTES = /[",\r\n]|^\s|\s$/;

/**
 * Numbers are written as they are; text that a spreadsheet would evaluate gets an apostrophe in
 * front, by which it stays text.
 */
export function csvLine(fields: readonly (string | number)[]): string {
  return `${fields.map((field) => (typeof field === 'number' ? String(field) : quoted(asText(field)))).join(',')}\r\n`;
}

/** What the reader of a line gets for a text. */
export function asText(field: string): string {
  return FORMULA.test(field) || BREAK.test(field) ? `'${field}` : field;
}

function quoted(field: string): string {
  return NEEDS_QUOTES.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
