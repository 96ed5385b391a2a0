// A dry run of a batch: plans each move against the present estate and moves nothing.
import { z } from 'zod';
import {
  BATCH_FAILURES_SHOWN_MAX,
  type BatchFailure,
  batchFailureSchema,
  type BatchId,
  type BatchItem,
} from '../../contracts/batch.js';
import { ERRORS } from '../../contracts/errors.js';
import { moveInputSchema, type MoveOptions } from '../../contracts/move.js';
import { countSchema } from '../../contracts/numbers.js';
import { planMove } from '../plan.js';
import type { Ports } from '../../control/ports.js';
import type { ActivityRun } from '../run.js';
import { planPages } from '../../control/batch-plan.js';

/** Moves planned at the same time. Each asks splitters and appliances. */
const AT_ONCE = 8;

export interface DryRunWork {
  readonly batch: BatchId;
  readonly options: MoveOptions;
}

/** Progress so far. It is the heartbeat, so another worker resumes from it. */
export const dryRunSchema = z.strictObject({
  /** Moves planned so far. */
  looked: countSchema,
  failed: countSchema,
  /** The first failures. */
  failures: z.array(batchFailureSchema),
});
export type DryRun = z.infer<typeof dryRunSchema>;

/**
 * Plans every move of the batch. Room in target groups was counted for the whole batch at planning.
 * @param earlier the last heartbeat of an earlier try, if there was one
 */
export async function dryRun(
  ports: Ports,
  { batch, options }: DryRunWork,
  earlier: unknown,
  run: ActivityRun<DryRun>,
): Promise<DryRun> {
  let state = dryRunSchema.safeParse(earlier).data ?? { looked: 0, failed: 0, failures: [] };
  for await (const items of planPages(ports, batch, state.looked)) {
    for (let at = 0; at < items.length; at += AT_ONCE) {
      run.signal?.throwIfAborted();
      const some = items.slice(at, at + AT_ONCE);
      const found = (await Promise.all(some.map((item) => checkMove(ports, item, options)))).flatMap(
        (failure) => failure ?? [],
      );
      state = {
        looked: state.looked + some.length,
        failed: state.failed + found.length,
        failures: [...state.failures, ...found].slice(0, BATCH_FAILURES_SHOWN_MAX),
      };
      run.heartbeat(state);
    }
  }
  return state;
}

async function checkMove(
  ports: Ports,
  { seq, volumes, from, to }: BatchItem,
  options: MoveOptions,
): Promise<BatchFailure | undefined> {
  const plan = await planMove(ports, moveInputSchema.parse({ volumes, from, to, options }));
  // The batch checks room itself: some of its moves make room for others.
  const reasons = plan.reasons.filter(({ code }) => code !== 'GROUP_FULL');
  const [first] = reasons;
  if (first === undefined) return undefined;
  return {
    seq,
    volumes,
    to,
    tries: 0,
    code: first.code,
    message: reasons.map(({ message }) => message).join('; '),
    action: ERRORS[first.code].action,
  };
}
