// What a batch decides to do now, as data for the runner.
import type { BatchItem } from '../../../contracts/batch.js';

/** Planned moves read in one call. */
export const ITEMS_READ_MAX = 200;

/** A move to start now. The batch counts it as running from then on. */
export interface Start {
  readonly item: BatchItem;
  readonly workflowId: string;
}

export type Decision =
  /** Read these moves of the plan: nothing else can be decided before. */
  | { readonly kind: 'read'; readonly seqs: readonly number[] }
  | { readonly kind: 'start'; readonly starts: readonly Start[] }
  /** Find the window that is open at the time, or the next one. */
  | { readonly kind: 'window'; readonly atMs: number }
  /** Cancel these moves; each is named only once. */
  | { readonly kind: 'cancel'; readonly workflowIds: readonly string[] }
  /** Wait until something happens, or until the time. */
  | { readonly kind: 'wait'; readonly untilMs?: number }
  | { readonly kind: 'end' };

/** Waits until a time. @param untilMs Infinity waits only for something to happen */
export function waitUntil(untilMs: number): Decision {
  return Number.isFinite(untilMs) ? { kind: 'wait', untilMs } : { kind: 'wait' };
}
