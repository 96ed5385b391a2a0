// A batch in any state that its workflow may hand to the next run, for tests of single decisions.
import type { z } from 'zod';
import { type BatchItem, batchItemSchema, batchOptionsSchema } from '../../contracts/batch.js';
import { type CarriedBatch, carriedBatchSchema, type PlannedBatch } from '../../contracts/batch-run.js';
import { BatchCore } from '../../workflows/batch/core/batch-core.js';
import { firstRunOf } from '../../workflows/batch/core/first-run.js';
import { BATCH_ID } from './batch-model.js';

/** When each batch of these tests began. */
export const BEGAN_MS = 1_000;

export type OptionsInput = z.input<typeof batchOptionsSchema>;

/** A batch in its first run, but for the parts of its state that the test names. */
export function batchIn(state: Partial<CarriedBatch>, options: OptionsInput = {}): BatchCore {
  const parsed = batchOptionsSchema.parse(options);
  const carried = carriedBatchSchema.parse({ ...firstRunOf(parsed, BATCH_ID, BEGAN_MS), ...state });
  return new BatchCore(parsed, 'b', carried);
}

export function planOf(planned: number, more: Partial<PlannedBatch> = {}): PlannedBatch {
  return { planned, alreadyThere: 0, refused: 0, leftOut: [], runEventsMax: 100, ...more };
}

/** The numbers 0 to `count` - 1 as a carried set of moves. */
export function firstSeqs(count: number): [number, number][] {
  return count === 0 ? [] : [[0, 2 ** count - 1]];
}

/** A move that runs in an earlier run's state. */
export function flyingOf(
  seq: number,
  more: Partial<CarriedBatch['flying'][number]> = {},
): CarriedBatch['flying'][number] {
  return {
    seq,
    round: 0,
    starts: 1,
    failures: 0,
    workflowId: `b/${seq}-v${seq}`,
    startedAtMs: BEGAN_MS,
    cancelAsked: false,
    ...more,
  };
}

/** A planned move of volume `v<seq>` from gold to silver. */
export function itemOf(seq: number, more: Partial<Record<keyof BatchItem, unknown>> = {}): BatchItem {
  return batchItemSchema.parse({
    seq,
    volumes: [`v${seq}`],
    from: 'gold',
    to: 'silver',
    sizeBytes: 1_000,
    appliances: ['a1', 'a2'],
    ...more,
  });
}
