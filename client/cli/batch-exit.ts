// Translates a batch's state into an exit code.
import type { Batch } from '../batches/batch-client.js';
import { EXIT, exitCodeOf, type ExitCode } from './exit-code.js';

/**
 * The exit code: zero for a batch that runs, that ended without a failed or refused move, or whose
 * dry run refuses none.
 */
export function exitCodeOfBatch({ state, report, error }: Batch): ExitCode {
  switch (state) {
    case 'running':
    case 'all-there':
      return EXIT.ok;
    case 'nothing-selected':
      return EXIT.notFound;
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
