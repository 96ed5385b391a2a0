// The Temporal activities: the five steps of a move and the two of its compensation, over ports.
import type { AttemptRecord, AttemptRef, Verdict } from '../contracts/attempt.js';
import type { ParsedMoveInput } from '../contracts/move.js';
import type { AttemptContext, Flushed, Reconfigured, Snapshot } from '../contracts/steps.js';
import { bookmark } from './bookmark.js';
import { learn, resolve } from './compensation.js';
import { flush } from './flush.js';
import { notify } from './notify.js';
import type { Ports } from './ports.js';
import { reconfigure } from './reconfigure.js';
import { snapshot } from './snapshot.js';
import { runStep } from './step-run.js';

/**
 * Every activity may run again with the same arguments, at any time. A failure's type is a code of the registry, its first
 * detail the problem.
 */
export function createActivities(ports: Ports) {
  return {
    notify: async (input: ParsedMoveInput, attempt: AttemptRef): Promise<AttemptContext> =>
      runStep(async () => notify(ports, input, attempt)),
    flush: async (context: AttemptContext): Promise<Flushed> => runStep(async (run) => flush(ports, context, run)),
    snapshot: async (context: AttemptContext, flushed: Flushed): Promise<Snapshot> =>
      runStep(async () => snapshot(ports, context, flushed)),
    bookmark: async (context: AttemptContext): Promise<void> => runStep(async () => bookmark(ports, context)),
    reconfigure: async (context: AttemptContext, flushed: Flushed): Promise<Reconfigured> =>
      runStep(async (run) => reconfigure(ports, context, flushed, run)),
    resolveAttempt: async (attempt: AttemptRef, reason: string): Promise<AttemptRecord> =>
      runStep(async () => resolve(ports, attempt, reason)),
    learnVerdict: async (record: AttemptRecord, verdict: Verdict): Promise<void> =>
      runStep(async () => learn(ports, record, verdict)),
  };
}

export type MoveActivities = ReturnType<typeof createActivities>;
