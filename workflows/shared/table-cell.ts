// Text in a cell of a markdown table, as the Temporal UI shows it.

/** Longest text shown, characters. The step's own event, or the move's report, has all of it. */
const LENGTH_MAX = 200;

/** The text on one line, cut to its first 200 characters. */
export function inCell(text: string): string {
  return text.slice(0, LENGTH_MAX).replaceAll(/\s+/g, ' ').replaceAll('|', '\\|');
}
