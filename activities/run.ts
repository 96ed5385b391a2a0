// What one run of an activity is given: clocks, a sleep, and a way to say "still alive".
import type { Heartbeat } from '../contracts/move.js';
import type { VerifyHeartbeat } from '../contracts/verify.js';

/** One run of an activity. `sleep` rejects when it is cancelled. */
export interface ActivityRun<Details> {
  /** Wall time: for labels, and for what is wall time by nature, as a maintenance window is. */
  nowMs(): number;
  /** Milliseconds since any moment, by a clock that is never set: for durations. */
  monotonicMs(): number;
  sleep(ms: number): Promise<void>;
  heartbeat(details: Details): void;
  readonly signal?: AbortSignal;
}

/** One run of a step. */
export type StepRun = ActivityRun<Heartbeat>;

/** One run of a verification. */
export interface VerifyRun extends ActivityRun<VerifyHeartbeat> {
  /** The same for every retry, and for no other verification: names the scans. */
  readonly id: string;
  /** The last heartbeat of an earlier run, if there was one. */
  readonly earlier: unknown;
}
