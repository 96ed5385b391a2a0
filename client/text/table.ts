// Tables for people. A table that is too wide for its terminal loses columns that matter least, or
// shows each row as a block of its own: a line that the terminal breaks in mid-word is unreadable.
import { columnsOf, padded, wrapped } from './printable.js';

/** Spaces between two columns. */
const GAP = 2;
/** Indentation of a row's fields when rows are shown as blocks. */
const INDENT = 2;
/** Narrowest room for a block's values, columns: narrower ones would be unreadable towers. */
const VALUE_COLUMNS_MIN = 20;

export interface TableFit {
  /** Columns of the terminal; undefined for a file or a program, which take any width. */
  readonly columns?: number | undefined;
  /** Titles of columns that may be left out, the least important first. */
  readonly optional?: readonly string[];
}

type Row = readonly string[];

/** A table: columns padded with spaces under their titles, two apart, without trailing spaces. */
export function table(titles: Row, rows: readonly Row[], { columns, optional = [] }: TableFit = {}): string {
  const leftOut: string[] = [];
  for (const next of [undefined, ...optional]) {
    if (next !== undefined) leftOut.push(next);
    const kept = titles.flatMap((title, column) => (leftOut.includes(title) ? [] : [column]));
    const lines = padLines([titles, ...rows].map((row) => kept.map((column) => row[column] ?? '')));
    if (columns === undefined || lines.every((line) => columnsOf(line) <= columns))
      return [...lines, ...leftOutLines(leftOut, columns)].join('\n');
  }
  return rows.map((row) => blockOf(titles, row, columns).join('\n')).join('\n\n');
}

function padLines(rows: readonly Row[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => columnsOf(row[column] ?? ''))));
  return rows.map((row) =>
    row
      .map((cell, column) => padded(cell, widths[column] ?? 0))
      .join(' '.repeat(GAP))
      .trimEnd(),
  );
}

/** A table never hides a column in silence. */
function leftOutLines(leftOut: readonly string[], columns: number | undefined): string[] {
  if (leftOut.length === 0) return [];
  return wrapped(`(no room for ${leftOut.join(', ')}; --json has them)`, columns ?? Number.POSITIVE_INFINITY, 1);
}

/** A row on its own: its first cell, then a line for each other field. */
function blockOf(titles: Row, row: Row, columns = Number.POSITIVE_INFINITY): string[] {
  const [head = '', ...cells] = row;
  const labels = titles.slice(1);
  const labelColumns = Math.max(0, ...labels.map((label) => label.length)) + GAP;
  const room = Math.max(VALUE_COLUMNS_MIN, columns - INDENT - labelColumns);
  const fields = labels.flatMap((label, i) =>
    wrapped(cells[i] ?? '', room).map(
      (part, line) => `${' '.repeat(INDENT)}${padded(line === 0 ? label : '', labelColumns)}${part}`,
    ),
  );
  return [head, ...fields];
}
