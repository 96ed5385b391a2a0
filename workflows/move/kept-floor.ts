// The next ticket at the time when an attempt is planned. The workflow's history has it before the
// attempt begins, so a step that runs again, whenever that is, carries the same one.
import { log, patched } from '@temporalio/workflow';
import { localFirst, type LocalFirstTerms } from '../shared/local-first.js';

const SECOND_MS = 1_000;
/** The ordinary activity tries as long as notify waits for a restart. */
const TERMS: LocalFirstTerms = {
  summary: 'read the next ticket',
  localTimeoutMs: 2 * SECOND_MS,
  localTriesMax: 2,
  patientTimeoutMs: 180 * SECOND_MS,
  pauseMs: { initial: SECOND_MS / 2, max: 10 * SECOND_MS },
};
/** Histories without this marker are of versions whose attempts have no floor. */
const PATCH = 'ticket-floor';

/** Reads the next ticket, and keeps it. @throws ActivityFailure, after minutes without an answer */
export async function keptFloor(): Promise<number | undefined> {
  if (!patched(PATCH)) return undefined;
  const floor: number | null | undefined = await localFirst(
    TERMS,
    async (activities) => activities.ticketFloor(),
    (error) => log.warn('The next ticket could not be read at once; it is tried again for 3 minutes.', { error }),
  );
  // A history stores nothing as null.
  return floor ?? undefined;
}
