// Instants and terms in stored form. A monotonic instant means nothing in another life of the
// process, so each names its life. A term granted in an earlier life runs again, in full, from the
// start of this one. A lease never decides, so a longer one is safe.
import type { Instant, Term } from '../../../contracts/attempt.js';
import type { Moment } from '../../../control/clock/clock.js';

/** An instant of the site: its two clocks, and the clock of ages. */
export interface SiteMoment extends Moment {
  readonly ageMs: number;
}

/** A life of the replica site's process. */
export interface Life {
  /** A number that no other life has. */
  readonly number: number;
  /** When it began, by its own monotonic clock. */
  readonly beganAtMs: number;
}

/** A term that begins now. */
export function termOf(life: Life, nowMs: number, ms: number): Term {
  return { life: life.number, untilMs: nowMs + ms, ms };
}

/** When a term ends, by the monotonic clock of the present life. */
export function endOf(life: Life, { life: granted, untilMs, ms }: Term): number {
  return granted === life.number ? untilMs : life.beganAtMs + ms;
}

/** Milliseconds since an instant; for one of an earlier life, since the present life began. */
export function sinceInstant(life: Life, { life: noted, atMs }: Instant, nowMs: number): number {
  return nowMs - (noted === life.number ? atMs : life.beganAtMs);
}
