// CSV lines (RFC 4180) in which no spreadsheet sees a formula.

/**
 * Beginnings that make a spreadsheet evaluate a cell, including leading blanks and the wide forms
 * of East Asian input.
 */
const FORMULA = /^[\s\p{Cc}]*[=+\-@\uFF0B\uFF0D\uFF1D\uFF20|%]/u;
/**
 * A cell that begins with one of these may be split into several, whose first characters would
 * count again.
 */
const BREAK = /^[\t\r\n]/;
const NEEDS_QUOTES = /[",\r\n]|^\s|\s$/;

/**
 * Writes a line. Numbers stay as they are. Text that a spreadsheet would evaluate gets an
 * apostrophe in front and stays text.
 */
export function csvLine(fields: readonly (string | number)[]): string {
  return `${fields.map((field) => (typeof field === 'number' ? String(field) : quoted(asText(field)))).join(',')}\r\n`;
}

/** The cell content for a text. */
export function asText(field: string): string {
  return FORMULA.test(field) || BREAK.test(field) ? `'${field}` : field;
}

function quoted(field: string): string {
  return NEEDS_QUOTES.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
