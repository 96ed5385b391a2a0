// What a process says of its wall clock, and how far the clocks of two processes are apart.
import { z } from 'zod';
import { isoTime } from './iso-time.js';
import { timeMsSchema } from './numbers.js';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/**
 * How long a wall clock must agree with monotonic time before it is believed again, milliseconds:
 * longer than a time service needs to notice its own mistake and step back.
 */
export const CLOCK_AGREES_AFTER_MS_DEFAULT = 5 * MINUTE_MS;
/**
 * The longest that may be configured: history must not be kept for ever because a clock is
 * restless.
 */
export const CLOCK_AGREES_AFTER_MS_MAX = DAY_MS;
/**
 * Clocks of two processes may be this far apart, milliseconds: more than a slow answer can feign.
 */
export const CLOCK_SKEW_MS_MAX = 5_000;

/** A signed number of milliseconds: later if positive. */
const shiftMsSchema = z.number().int();

/**
 * Why times that a process notes may be wrong: its wall clock jumped, and has not agreed with
 * monotonic time for long enough since.
 */
export const clockDoubtSchema = z.strictObject({
  /** Whose clock. */
  process: z.string(),
  /** The newest jump: how far the wall clock went beyond what monotonic time says. */
  jumpMs: shiftMsSchema,
  /** What the clock said just before the first jump of those that are still in doubt. */
  sinceMs: timeMsSchema,
  /** How many jumps since then. */
  jumps: z.number().int().min(1),
});
export type ClockDoubt = z.infer<typeof clockDoubtSchema>;

/** A process's wall clock as of the answer. */
export const clockViewSchema = z.strictObject({ wallMs: timeMsSchema, doubt: clockDoubtSchema.optional() });
export type ClockView = z.infer<typeof clockViewSchema>;

/** Another process's wall clock, beside that of the one that answers. */
export const clockSkewSchema = z.strictObject({
  process: z.string(),
  /** How far the other clock is ahead; negative: behind. */
  aheadMs: shiftMsSchema,
});
export type ClockSkew = z.infer<typeof clockSkewSchema>;

const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [DAY_MS, 'd'],
  [60 * MINUTE_MS, 'h'],
  [MINUTE_MS, 'min'],
  [SECOND_MS, 's'],
];

/** A shift in its two largest units. @example "+31 d", "-10 min", "+1 h 30 min" */
export function shiftWords(ms: number): string {
  const sign = ms < 0 ? '-' : '+';
  // Seen between two readings, a jump is a few milliseconds off: an hour must not read as 59 min 59
  // s.
  let leftMs = Math.abs(ms) < SECOND_MS ? Math.abs(ms) : Math.round(Math.abs(ms) / SECOND_MS) * SECOND_MS;
  const parts: string[] = [];
  for (const [unitMs, name] of UNITS) {
    const count = Math.floor(leftMs / unitMs);
    if (count > 0 && parts.length < 2) parts.push(`${count} ${name}`);
    else if (parts.length > 0) break;
    leftMs -= count * unitMs;
  }
  return `${sign}${parts.length === 0 ? `${Math.round(leftMs)} ms` : parts.join(' ')}`;
}

/** A sentence for people: whose clock, by how much, since when. */
export function doubtSentence({ process, jumpMs, sinceMs, jumps }: ClockDoubt): string {
  const more = jumps > 1 ? `, the last of ${jumps} jumps` : '';
  return `The wall clock of ${process} jumped by ${shiftWords(jumpMs)} after ${isoTime(sinceMs)}${more}.`;
}

/** Whether two clocks are too far apart to be an answer's delay. */
export function isSkewed({ aheadMs }: Pick<ClockSkew, 'aheadMs'>): boolean {
  return Math.abs(aheadMs) > CLOCK_SKEW_MS_MAX;
}

/** A sentence for people. @param than whose clock the other one is compared with */
export function skewSentence({ process, aheadMs }: ClockSkew, than: string): string {
  const how = aheadMs < 0 ? 'behind' : 'ahead of';
  return `The clock of ${process} is ${shiftWords(Math.abs(aheadMs)).slice(1)} ${how} that of ${than}: set them by one time service. Times in the history come from the splitters' clocks.`;
}
