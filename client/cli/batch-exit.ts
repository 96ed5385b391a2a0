// What a batch's state comes to as an exit code.
import type { Batch } from '../batches/batch-client.js';
import { EXIT, exitCodeOf, type ExitCode } from './exit-code.js';

/** Zero for one that runs, and for one that moved all that it was asked for. */
export function exitCodeOfBatch({ state, report, error }: Batch): ExitCode {
  switch (state) {
    case 'running':
      return EXIT.ok;
    case 'complete':
      return isClean(report) ? EXIT.ok : EXIT.failed;
    case 'dry-run':
      return isClean(report) ? EXIT.ok : EXIT.refused;
    case 'failed':
      return error === undefined ? EXIT.failed : exitCodeOf(error);
    case 'incomplete':
    case 'stopped':
    case 'skipped-late':
    case 'cancelled':
    case 'terminated':
      return EXIT.failed;
  }
}

function isClean(report: Batch['report']): boolean {
  return report !== undefined && report.counts.failed === 0 && report.counts.refused === 0;
}
