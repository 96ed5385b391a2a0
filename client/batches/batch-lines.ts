// Lines about a batch (a failure, counts, names), shared by progress and reports.
import type { BatchCounts, BatchFailure } from '../../contracts/batch.js';
import { printable } from '../text/printable.js';

const NAMES_SHOWN = 3;

export function failureLine({ volumes, to, message, code, tries }: BatchFailure): string {
  const more = tries > 1 ? `, ${tries} tries` : '';
  return printable(`${namesOf(volumes)} → ${to}: ${message}${code === undefined ? '' : ` (${code})`}${more}`);
}

/** The counts that are not zero; `moved` always. */
export function countsText(counts: BatchCounts): string {
  const { moved, failed, running, waiting, cancelled, skipped, alreadyThere, refused } = counts;
  const named: readonly (readonly [number, string])[] = [
    [failed, 'failed'],
    [running, 'running'],
    [waiting, 'waiting'],
    [cancelled, 'cancelled'],
    [skipped, 'skipped'],
    [alreadyThere, 'already there'],
    [refused, 'refused'],
  ];
  const others = named.filter(([count]) => count > 0).map(([count, name]) => `, ${count} ${name}`);
  return `${moved} moved${others.join('')}`;
}

/** What to do about moves that a batch left out beyond those that its report keeps. */
export const NOT_LISTED =
  'not listed in any report. To see them: remove the reasons above, then start the same batch with --dry-run.';

/** The volumes' names in a line. @example "vm-1-disk-0, vm-1-disk-1", "a, b, c and 4 more" */
export function namesOf(volumes: readonly string[]): string {
  const shown = volumes.slice(0, NAMES_SHOWN).join(', ');
  return volumes.length <= NAMES_SHOWN ? shown : `${shown} and ${volumes.length - NAMES_SHOWN} more`;
}
