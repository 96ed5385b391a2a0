// The one line that the Temporal UI shows beside a workflow.

/** Longest summary that Temporal accepts, bytes. */
const SUMMARY_BYTES_MAX = 200;

/**
 * Makes a line fit for a summary: cuts it, and replaces each non-ASCII character, which takes
 * several bytes, by "?".
 */
export function summaryLine(line: string): string {
  return line.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, SUMMARY_BYTES_MAX);
}
