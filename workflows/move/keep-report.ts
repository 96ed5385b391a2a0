// Stores every move's report at the replica site, however the move ends. A failure to store it
// never changes that end.
import { CancellationScope, log, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { MoveActivities } from '../../activities/create-activities.js';
import type { StoredMoveReport } from '../../contracts/report.js';

const SECOND_MS = 1_000;

/**
 * Timeout of the first try, a local activity in the workflow's last task. It costs the server one
 * event, and the time is well inside the task's 10 s.
 */
const LOCAL_TIMEOUT_MS = 4 * SECOND_MS;
const LOCAL_TRIES_MAX = 3;
/**
 * How long an ordinary activity tries after that. A restart of the replica site may delay a move's
 * end; a lasting outage may not.
 */
const PATIENT_TIMEOUT_MS = 5 * 60 * SECOND_MS;
const CALL_TIMEOUT_MS = 30 * SECOND_MS;

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
  const summary = 'store the report';
  const local = proxyLocalActivities<MoveActivities>({
    startToCloseTimeout: LOCAL_TIMEOUT_MS,
    scheduleToCloseTimeout: LOCAL_TIMEOUT_MS,
    retry: { initialInterval: SECOND_MS / 4, maximumAttempts: LOCAL_TRIES_MAX },
    summary,
  });
  try {
    await local.storeReport(report);
    return;
  } catch (error) {
    log.warn(`The report of move ${report.move} could not be stored at once; it is tried again for 5 minutes.`, {
      move: report.move,
      error,
    });
  }
  const patient = proxyActivities<MoveActivities>({
    startToCloseTimeout: CALL_TIMEOUT_MS,
    scheduleToCloseTimeout: PATIENT_TIMEOUT_MS,
    retry: { initialInterval: SECOND_MS, backoffCoefficient: 2, maximumInterval: 20 * SECOND_MS },
    summary,
  });
  await patient.storeReport(report);
}
