// The Temporal activities over ports: the steps of a move and of its compensation, the store of its
// report, the verification, and those of batches.
import { Context } from '@temporalio/activity';
import type { AttemptRecord, AttemptRef, Verdict } from '../contracts/attempt.js';
import type { ParsedMoveInput } from '../contracts/move.js';
import type { AttemptContext, Flushed, Held, Reconfigured, Snapshot, StandByUntil } from '../contracts/steps.js';
import type { StoredMoveReport } from '../contracts/report.js';
import type { VerifyReport } from '../contracts/verify.js';
import { BATCH_RUN_EVENTS_MAX } from '../contracts/batch-run.js';
import { type BatchSettings, createBatchActivities } from './batch/create-batch-activities.js';
import { awaitTurn } from './await-turn.js';
import { bookmark } from './bookmark.js';
import { learn, resolve } from './compensation.js';
import { toFailure } from './failure.js';
import { flush } from './flush.js';
import { notify } from './notify.js';
import type { Ports } from '../control/ports.js';
import { portsUntil } from '../control/ports-until.js';
import { reconfigure } from './reconfigure.js';
import { snapshot } from './snapshot.js';
import { standBy } from './stand-by.js';
import { storeReport } from './store-report.js';
import { ticketFloor } from './ticket-floor.js';
import { runStep, runVerify } from './step-run.js';
import { verify, type VerifyWork } from './verify.js';

/**
 * Makes the activities. Each may run again with the same arguments at any time. A failure's type is
 * a code of the registry, its first detail the problem.
 */
export function createActivities(ports: Ports, batches: BatchSettings = { runEventsMax: BATCH_RUN_EVENTS_MAX }) {
  return {
    ...createBatchActivities(ports, batches),
    notify: async (input: ParsedMoveInput, attempt: AttemptRef, floor?: number): Promise<AttemptContext | Held> =>
      runStep(ports, async (run, within) => notify(within, input, attempt, run, floor)),
    awaitTurn: async (input: ParsedMoveInput, held: Held, sinceMs: number): Promise<void> =>
      runStep(ports, async (run, within) => awaitTurn(within, input, held, sinceMs, run)),
    standBy: async (context: AttemptContext, until: StandByUntil): Promise<void> =>
      runStep(ports, async (run, within) => standBy(within, context, until, run)),
    flush: async (context: AttemptContext): Promise<Flushed> =>
      runStep(ports, async (run, within) => flush(within, context, run)),
    snapshot: async (context: AttemptContext, flushed: Flushed): Promise<Snapshot> =>
      runStep(ports, async (_run, within) => snapshot(within, context, flushed)),
    bookmark: async (context: AttemptContext): Promise<void> =>
      runStep(ports, async (_run, within) => bookmark(within, context)),
    reconfigure: async (context: AttemptContext, flushed: Flushed): Promise<Reconfigured> =>
      runStep(ports, async (run, within) => reconfigure(within, context, flushed, run)),
    resolveAttempt: async (attempt: AttemptRef, reason: string, floor?: number): Promise<AttemptRecord> =>
      runStep(ports, async (_run, within) => resolve(within, attempt, reason, floor)),
    learnVerdict: async (record: AttemptRecord, verdict: Verdict): Promise<void> =>
      runStep(ports, async (_run, within) => learn(within, record, verdict)),
    ticketFloor: async (): Promise<number | undefined> => runLocal(ports, async (within) => ticketFloor(within)),
    storeReport: async (report: StoredMoveReport): Promise<void> =>
      runLocal(ports, async (within) => storeReport(within, report)),
    verify: async (work: VerifyWork): Promise<VerifyReport> =>
      runVerify(ports, async (run, within) => verify(within, work, run)),
  };
}

export type MoveActivities = ReturnType<typeof createActivities>;

/** Runs what may be a local activity, so it sends no heartbeats. @throws ApplicationFailure */
async function runLocal<T>(ports: Ports, work: (within: Ports) => Promise<T>): Promise<T> {
  try {
    return await work(portsUntil(Context.current().cancellationSignal, ports));
  } catch (error) {
    throw toFailure(error);
  }
}
