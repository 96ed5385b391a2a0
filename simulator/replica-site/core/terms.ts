// What lasts at the replica site, in stored form. No monotonic instant means anything in another
// life of the process, so each names the life it belongs to; what an earlier life began runs anew,
// in full, from the start of this one. A lease never decides: longer is safe.
import type { Instant, Term } from '../../../contracts/attempt.js';
import type { Moment } from '../../../control/clock/clock.js';

/** An instant of the site: its two clocks, and the one that ages are counted by. */
export interface SiteMoment extends Moment {
  readonly ageMs: number;
}

/** A life of the replica site's process. */
export interface Life {
  /** No two lives have the same. */
  readonly number: number;
  /** By its own monotonic clock. */
  readonly beganAtMs: number;
}

/** A term from now on. */
export function termOf(life: Life, nowMs: number, ms: number): Term {
  return { life: life.number, untilMs: nowMs + ms, ms };
}

/** When a term ends, by the monotonic clock of the present life. */
export function endOf(life: Life, { life: granted, untilMs, ms }: Term): number {
  return granted === life.number ? untilMs : life.beganAtMs + ms;
}

/**
 * For how long an instant is past, as far as the present life knows: of an earlier life's, since
 * the start.
 */
export function sinceInstant(life: Life, { life: noted, atMs }: Instant, nowMs: number): number {
  return nowMs - (noted === life.number ? atMs : life.beganAtMs);
}
