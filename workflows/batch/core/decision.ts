// What a batch can say is to be done now, for the one that does it.
import type { BatchItem } from '../../../contracts/batch.js';

/** Planned moves read at once. */
export const ITEMS_READ_MAX = 200;

/** A move to be started now; the batch counts it as running from then on. */
export interface Start {
  readonly item: BatchItem;
  readonly workflowId: string;
}

export type Decision =
  /** These moves of the plan must be known before anything else can be decided. */
  | { readonly kind: 'read'; readonly seqs: readonly number[] }
  | { readonly kind: 'start'; readonly starts: readonly Start[] }
  /** The window at, or next after, the time. */
  | { readonly kind: 'window'; readonly atMs: number }
  /** These moves are to be cancelled; asked for once. */
  | { readonly kind: 'cancel'; readonly workflowIds: readonly string[] }
  /** Until something happens, or the time. */
  | { readonly kind: 'wait'; readonly untilMs?: number }
  | { readonly kind: 'end' };

/** @param untilMs Infinity: only for something to happen */
export function waitUntil(untilMs: number): Decision {
  return Number.isFinite(untilMs) ? { kind: 'wait', untilMs } : { kind: 'wait' };
}
