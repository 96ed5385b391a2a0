// Stores every move's report at the replica site, however the move ends. A failure to store it
// never changes that end.
import { CancellationScope, log } from '@temporalio/workflow';
import type { StoredMoveReport } from '../../contracts/report.js';
import { localFirst, type LocalFirstTerms } from '../shared/local-first.js';

const SECOND_MS = 1_000;

/**
 * The local activity runs in the workflow's last task. A restart of the replica site may delay a
 * move's end for 5 minutes; a lasting outage may not.
 */
const TERMS: LocalFirstTerms = {
  summary: 'store the report',
  localTimeoutMs: 4 * SECOND_MS,
  localTriesMax: 3,
  patientTimeoutMs: 5 * 60 * SECOND_MS,
  pauseMs: { initial: SECOND_MS, max: 20 * SECOND_MS },
};

/** Stores the report. Never rejects, and is not cancelled with the move. */
export async function keepReport(report: StoredMoveReport): Promise<void> {
  await CancellationScope.nonCancellable(async () => {
    try {
      await store(report);
    } catch (error) {
      log.error(
        `The report of move ${report.move} could not be stored at the replica site. It is in the history of this workflow only.`,
        {
          move: report.move,
          error,
        },
      );
    }
  });
}

async function store(report: StoredMoveReport): Promise<void> {
  await localFirst(
    TERMS,
    async (activities) => activities.storeReport(report),
    (error) =>
      log.warn(`The report of move ${report.move} could not be stored at once; it is tried again for 5 minutes.`, {
        move: report.move,
        error,
      }),
  );
}
