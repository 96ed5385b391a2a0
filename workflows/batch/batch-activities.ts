// A batch's activities and their retry policies. They wait while the estate is unreachable, since
// nobody watches a batch at night.
import { proxyActivities, type ActivityOptions } from '@temporalio/workflow';
import type { MoveActivities } from '../../activities/create-activities.js';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600 * SECOND_MS;

/** Heartbeat timeout, ms: after it another worker takes over. */
const HEARTBEAT_TIMEOUT_MS = 10 * SECOND_MS;
/** Longest try of an activity that makes a few calls, ms. */
const CALLS_TIMEOUT_MS = 60 * SECOND_MS;
/** Longest try of an activity that reads a whole estate or plan, ms. */
const LISTING_TIMEOUT_MS = HOUR_MS;
/** Longest wait for the end of moves in one try, ms. */
const AWAIT_TIMEOUT_MS = 24 * HOUR_MS;
/** Longest delay of a batch's end by activities that only keep records, ms. */
const RECORD_TIMEOUT_MS = 5 * 60 * SECOND_MS;
/** Longest wait for the answer of an update, for which somebody waits, ms. */
const ANSWER_TIMEOUT_MS = 30 * SECOND_MS;

const PATIENT = { initialInterval: SECOND_MS / 2, backoffCoefficient: 2, maximumInterval: 30 * SECOND_MS };

function options(startToCloseTimeout: number, more: ActivityOptions = {}): ActivityOptions {
  return { startToCloseTimeout, heartbeatTimeout: HEARTBEAT_TIMEOUT_MS, retry: PATIENT, ...more };
}

export const listing = proxyActivities<Pick<MoveActivities, 'planBatch' | 'dryRun'>>(options(LISTING_TIMEOUT_MS));
export const calls = proxyActivities<
  Pick<MoveActivities, 'readPlan' | 'windowOf' | 'cancelMoves' | 'cancelOwnWorkflow'>
>(options(CALLS_TIMEOUT_MS));
export const waits = proxyActivities<Pick<MoveActivities, 'awaitMoves'>>(options(AWAIT_TIMEOUT_MS));
export const records = proxyActivities<Pick<MoveActivities, 'storeLostMove' | 'storeBatchReport' | 'compareSelection'>>(
  options(CALLS_TIMEOUT_MS, { scheduleToCloseTimeout: RECORD_TIMEOUT_MS }),
);
export const answers = proxyActivities<Pick<MoveActivities, 'findInPlan'>>(
  options(ANSWER_TIMEOUT_MS, { scheduleToCloseTimeout: ANSWER_TIMEOUT_MS }),
);
