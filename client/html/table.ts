// A table of a page. On a narrow screen each row becomes a card, in which every cell has its
// column's title in front.
import { escaped } from './escape.js';

export interface Column {
  readonly title: string;
  /** How its cells are set. Default: text that may break anywhere. */
  readonly kind?: 'number' | 'nowrap' | 'mono';
}

/** @param rows cells as HTML, with users' text already escaped */
export function htmlTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const head = columns.map(({ title, kind }) => `<th${kind === 'number' ? ' class="number"' : ''}>${title}</th>`);
  const cells = columns.map(
    ({ title, kind }) => `<td${kind === undefined ? '' : ` class="${kind}"`} data-title="${escaped(title)}">`,
  );
  const body = rows.map((row) => `<tr>${row.map((cell, i) => `${cells[i] ?? '<td>'}${cell}</td>`).join('')}</tr>`);
  return `<table><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('\n')}</tbody></table>`;
}
