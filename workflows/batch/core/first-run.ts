// The initial state of a batch.
import type { BatchId, BatchOptions } from '../../../contracts/batch.js';
import type { CarriedBatch } from '../../../contracts/batch-run.js';

export function firstRunOf(
  { concurrency, canary }: Pick<BatchOptions, 'concurrency' | 'canary'>,
  batch: BatchId,
  nowMs: number,
): CarriedBatch {
  return {
    batch,
    startedAtMs: nowMs,
    runs: 1,
    concurrency,
    cursor: 0,
    round: 0,
    moved: 0,
    there: 0,
    cancelled: 0,
    skipped: 0,
    failed: [],
    again: [],
    passed: [],
    retries: [],
    flying: [],
    skips: [],
    failures: [],
    durations: [],
    starts: [],
    ends: [],
    canary: canary === undefined ? 'none' : 'running',
  };
}
