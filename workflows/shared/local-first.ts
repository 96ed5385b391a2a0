// Calls that a workflow tries at once, inside its own task, and more patiently if that fails.
import { isCancellation, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { MoveActivities } from '../../activities/create-activities.js';

const SECOND_MS = 1_000;
/** Longest single call of an ordinary activity, ms. */
const CALL_TIMEOUT_MS = 30 * SECOND_MS;

/** The activities that may run as local ones: they send no heartbeats. */
type LocalActivities = Pick<MoveActivities, 'ticketFloor' | 'storeReport'>;

export interface LocalFirstTerms {
  /** One line for the Temporal UI. */
  readonly summary: string;
  /** Longest time of the local activity with its tries, ms: well inside a workflow task's 10 s. */
  readonly localTimeoutMs: number;
  readonly localTriesMax: number;
  /** Longest time of the ordinary activity with its tries, ms. */
  readonly patientTimeoutMs: number;
  /** Pauses between the tries of the ordinary activity, ms: the first, and the longest. */
  readonly pauseMs: { readonly initial: number; readonly max: number };
}

/**
 * Makes a call as a local activity, which costs the server one event, then as an ordinary one.
 * @param onLater told why the local activity failed
 * @throws ActivityFailure of the ordinary one; the workflow's own cancellation
 */
export async function localFirst<T>(
  { summary, localTimeoutMs, localTriesMax, patientTimeoutMs, pauseMs }: LocalFirstTerms,
  call: (activities: LocalActivities) => Promise<T>,
  onLater: (error: unknown) => void,
): Promise<T> {
  const local = proxyLocalActivities<LocalActivities>({
    startToCloseTimeout: localTimeoutMs,
    scheduleToCloseTimeout: localTimeoutMs,
    retry: { initialInterval: SECOND_MS / 4, maximumAttempts: localTriesMax },
    summary,
  });
  try {
    return await call(local);
  } catch (error) {
    if (isCancellation(error)) throw error;
    onLater(error);
  }
  const patient = proxyActivities<LocalActivities>({
    startToCloseTimeout: CALL_TIMEOUT_MS,
    scheduleToCloseTimeout: patientTimeoutMs,
    retry: { initialInterval: pauseMs.initial, backoffCoefficient: 2, maximumInterval: pauseMs.max },
    summary,
  });
  return await call(patient);
}
