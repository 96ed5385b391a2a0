// What a process reports about its wall clock, and how far the clocks of two processes are apart.
import { z } from 'zod';
import { isoTime } from './iso-time.js';
import { timeMsSchema } from './numbers.js';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/**
 * How long a wall clock must agree with monotonic time before it is trusted again, milliseconds. A
 * time service notices its own mistake and steps back in less.
 */
export const CLOCK_AGREES_AFTER_MS_DEFAULT = 5 * MINUTE_MS;
/** Longest configurable value: an unsteady clock must not keep history for ever. */
export const CLOCK_AGREES_AFTER_MS_MAX = DAY_MS;
/**
 * Largest skew between two processes that is not reported, milliseconds. A slow answer can't look
 * like more.
 */
export const CLOCK_SKEW_MS_MAX = 5_000;

/** A signed shift in milliseconds; positive means later. */
const shiftMsSchema = z.number().int();

/**
 * Why a process's timestamps may be wrong: its wall clock jumped and has not yet agreed with
 * monotonic time for long enough.
 */
export const clockDoubtSchema = z.strictObject({
  /** The process whose clock it is. */
  process: z.string(),
  /** Size of the newest jump: wall clock minus what monotonic time says. */
  jumpMs: shiftMsSchema,
  /** The wall clock's reading just before the first jump still in doubt. */
  sinceMs: timeMsSchema,
  /** Jumps since `sinceMs`. */
  jumps: z.number().int().min(1),
});
export type ClockDoubt = z.infer<typeof clockDoubtSchema>;

/** A process's wall clock at the time of the answer. */
export const clockViewSchema = z.strictObject({ wallMs: timeMsSchema, doubt: clockDoubtSchema.optional() });
export type ClockView = z.infer<typeof clockViewSchema>;

/** Another process's wall clock compared with that of the answering process. */
export const clockSkewSchema = z.strictObject({
  process: z.string(),
  /** How far the other clock is ahead; negative when it is behind. */
  aheadMs: shiftMsSchema,
});
export type ClockSkew = z.infer<typeof clockSkewSchema>;

const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [DAY_MS, 'd'],
  [60 * MINUTE_MS, 'h'],
  [MINUTE_MS, 'min'],
  [SECOND_MS, 's'],
];

/** Formats a shift in its two largest units. @example "+31 d", "-10 min", "+1 h 30 min" */
export function shiftText(ms: number): string {
  const sign = ms < 0 ? '-' : '+';
  // A jump measured between two readings is a few milliseconds off. Rounding prevents "59 min 59 s"
  // for an hour.
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

/** Says in a sentence whose clock is in doubt, by how much and since when. */
export function doubtSentence({ process, jumpMs, sinceMs, jumps }: ClockDoubt): string {
  const more = jumps > 1 ? `, the last of ${jumps} jumps` : '';
  return `The wall clock of ${process} jumped by ${shiftText(jumpMs)} after ${isoTime(sinceMs)}${more}.`;
}

/** Whether the clocks are further apart than a slow answer can explain. */
export function isSkewed({ aheadMs }: Pick<ClockSkew, 'aheadMs'>): boolean {
  return Math.abs(aheadMs) > CLOCK_SKEW_MS_MAX;
}

/**
 * Says in a sentence how far two clocks are apart. @param than whose clock the other one is
 * compared with
 */
export function skewSentence({ process, aheadMs }: ClockSkew, than: string): string {
  const how = aheadMs < 0 ? 'behind' : 'ahead of';
  return `The clock of ${process} is ${shiftText(Math.abs(aheadMs)).slice(1)} ${how} that of ${than}: set them by one time service. Times in the history come from the splitters' clocks.`;
}
