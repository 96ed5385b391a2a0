// The measurements at one size of estate.
import type { IdleEstate } from './idle-estate.js';
import type { Measured, MeasuredBatch } from './measure.js';

/** One repetition at one size. */
export interface Pair {
  readonly volumes: number;
  readonly repetition: number;
  readonly batch: MeasuredBatch;
  readonly noops: Measured;
}

/** All measurements of one size. */
export interface Size {
  readonly volumes: number;
  readonly idle: Omit<IdleEstate, 'running'>;
  readonly pairs: readonly Pair[];
}
