// A batch without its moves: the plan of each one, against the estate as it is.
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

/** Moves looked at at once: each asks splitters and appliances. */
const AT_ONCE = 8;

export interface DryRunWork {
  readonly batch: BatchId;
  readonly options: MoveOptions;
}

/** What is known so far; the last heartbeat has it, so that another worker goes on from there. */
export const dryRunSchema = z.strictObject({
  /** Moves looked at. */
  looked: countSchema,
  failed: countSchema,
  /** The first ones. */
  failures: z.array(batchFailureSchema),
});
export type DryRun = z.infer<typeof dryRunSchema>;

/**
 * Every move of the batch. Rooms in target groups were counted over the whole batch when it was
 * planned.
 * @param earlier the last heartbeat of an earlier try, if there was one
 */
export async function dryRun(
  ports: Ports,
  { batch, options }: DryRunWork,
  earlier: unknown,
  run: ActivityRun<DryRun>,
): Promise<DryRun> {
  let so = dryRunSchema.safeParse(earlier).data ?? { looked: 0, failed: 0, failures: [] };
  for await (const items of planPages(ports, batch, so.looked)) {
    for (let at = 0; at < items.length; at += AT_ONCE) {
      run.signal?.throwIfAborted();
      const some = items.slice(at, at + AT_ONCE);
      const found = (await Promise.all(some.map((item) => lookAt(ports, item, options)))).flatMap(
        (failure) => failure ?? [],
      );
      so = {
        looked: so.looked + some.length,
        failed: so.failed + found.length,
        failures: [...so.failures, ...found].slice(0, BATCH_FAILURES_SHOWN_MAX),
      };
      run.heartbeat(so);
    }
  }
  return so;
}

async function lookAt(
  ports: Ports,
  { seq, volumes, from, to }: BatchItem,
  options: MoveOptions,
): Promise<BatchFailure | undefined> {
  const plan = await planMove(ports, moveInputSchema.parse({ volumes, from, to, options }));
  // The room is the batch's business: some of its moves make room for others.
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
