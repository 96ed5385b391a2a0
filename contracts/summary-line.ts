// The one line that the Temporal UI shows beside a workflow.

/** What Temporal takes as a summary, in bytes. */
const SUMMARY_BYTES_MAX = 200;

/**
 * Cut where it does not fit. What is not ASCII would take more than one byte, and is shown as "?".
 */
export function summaryLine(line: string): string {
  return line.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, SUMMARY_BYTES_MAX);
}
