// The next ticket at the time when an attempt is planned. The workflow's history has it before the
// attempt begins, so a step that runs again, whenever that is, carries the same one.
import { isCancellation, log, patched, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { MoveActivities } from '../../activities/create-activities.js';

const SECOND_MS = 1_000;
/** Timeout of the first try, a local activity: it is well inside the workflow task's 10 s. */
const LOCAL_TIMEOUT_MS = 2 * SECOND_MS;
const LOCAL_TRIES_MAX = 2;
const CALL_TIMEOUT_MS = 30 * SECOND_MS;
/** How long an ordinary activity tries after that: as long as notify waits for a restart. */
const PATIENT_TIMEOUT_MS = 180 * SECOND_MS;
/** Histories without this marker are of versions whose attempts have no floor. */
const PATCH = 'ticket-floor';

/** Reads the next ticket, and keeps it. @throws ActivityFailure, after minutes without an answer */
export async function keptFloor(): Promise<number | undefined> {
  if (!patched(PATCH)) return undefined;
  const summary = 'read the next ticket';
  const local = proxyLocalActivities<MoveActivities>({
    startToCloseTimeout: LOCAL_TIMEOUT_MS,
    scheduleToCloseTimeout: LOCAL_TIMEOUT_MS,
    retry: { initialInterval: SECOND_MS / 4, maximumAttempts: LOCAL_TRIES_MAX },
    summary,
  });
  try {
    return floorOf(await local.ticketFloor());
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('The next ticket could not be read at once; it is tried again for 3 minutes.', { error });
  }
  const patient = proxyActivities<MoveActivities>({
    startToCloseTimeout: CALL_TIMEOUT_MS,
    scheduleToCloseTimeout: PATIENT_TIMEOUT_MS,
    retry: { initialInterval: SECOND_MS / 2, backoffCoefficient: 2, maximumInterval: 10 * SECOND_MS },
    summary,
  });
  return floorOf(await patient.ticketFloor());
}

/** A history stores nothing as null. */
function floorOf(stored: number | null | undefined): number | undefined {
  return stored ?? undefined;
}
