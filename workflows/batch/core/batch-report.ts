// The final report of a batch: how it ended, in a sentence and in numbers.
import type { BatchCounts, BatchReport } from '../../../contracts/batch.js';
import type { BatchSettings } from '../../../contracts/batch-run.js';
import type { BatchCore } from './batch-core.js';

type Ending = Pick<BatchReport, 'outcome' | 'summary'>;
type SelectionChanges = Pick<BatchReport, 'addedMeanwhile' | 'removedMeanwhile'>;

export const NO_CHANGES: SelectionChanges = { addedMeanwhile: [], removedMeanwhile: [] };

export function batchReportOf(
  batch: BatchCore,
  { operator, reason }: BatchSettings,
  ending: Ending,
  endedAtMs: number,
  { counts, failures, ...meanwhile }: SelectionChanges & Partial<Pick<BatchReport, 'counts' | 'failures'>> = NO_CHANGES,
): BatchReport {
  return {
    batch: batch.id,
    ...ending,
    counts: counts ?? batch.counts(),
    failures: failures ?? [...batch.failures],
    leftOut: batch.plan?.leftOut ?? [],
    ...meanwhile,
    ...(operator === undefined ? {} : { operator }),
    ...(reason === undefined ? {} : { reason }),
    startedAtMs: batch.startedAtMs,
    endedAtMs,
    runs: batch.runs,
  };
}

/** How a batch ended that has nothing left to do or was stopped. */
export function endingOf(batch: BatchCore): Ending {
  const counts = batch.counts();
  const { stop } = batch;
  if (stop === undefined)
    return (
      nothingToDo(counts) ?? { outcome: 'complete', summary: `Every move of the batch has ended: ${tally(counts)}.` }
    );
  const summary = `${stop.text} ${tally(counts)}.`;
  switch (stop.why) {
    case 'failures':
    case 'canary':
      return { outcome: 'stopped', summary };
    case 'aborted':
    case 'cancelled':
    case 'window': {
      const isAllTried = batch.plan !== undefined && counts.waiting === 0 && stop.running === 'finish';
      return { outcome: isAllTried && stop.why !== 'cancelled' ? 'complete' : 'incomplete', summary };
    }
  }
}

/** The ending of a batch that had no move to make; undefined when it had one or refused one. */
export function nothingToDo({ planned, refused, alreadyThere }: BatchCounts): Ending | undefined {
  if (planned > 0 || refused > 0) return undefined;
  return alreadyThere > 0
    ? { outcome: 'all-there', summary: 'Nothing to do: every volume of the batch is in its target group already.' }
    : { outcome: 'nothing-selected', summary: 'Nothing was moved: no volume matches what the batch selects.' };
}

function tally({ planned, moved, failed, cancelled, waiting, skipped, alreadyThere, refused }: BatchCounts): string {
  const parts = [
    `${moved} of ${planned} moved`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(cancelled > 0 ? [`${cancelled} cancelled`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    ...(waiting > 0 ? [`${waiting} not started`] : []),
    ...(alreadyThere > 0 ? [`${alreadyThere} already there`] : []),
    ...(refused > 0 ? [`${refused} refused`] : []),
  ];
  return parts.join(', ');
}
