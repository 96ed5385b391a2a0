// What one run of an activity gets: clocks, a sleep, and a heartbeat.
import type { Heartbeat } from '../contracts/move.js';
import type { VerifyHeartbeat } from '../contracts/verify.js';

/** One run of an activity. `sleep` rejects when the activity is cancelled. */
export interface ActivityRun<Details> {
  /** Wall time, for labels and for maintenance windows. */
  nowMs(): number;
  /** Milliseconds since an arbitrary moment by a clock that is never set, for durations. */
  monotonicMs(): number;
  sleep(ms: number): Promise<void>;
  heartbeat(details: Details): void;
  readonly signal?: AbortSignal;
}

/** One run of a step. */
export type StepRun = ActivityRun<Heartbeat>;

/** One run of a verification. */
export interface VerifyRun extends ActivityRun<VerifyHeartbeat> {
  /** Names the scans: the same for every retry, and different for every verification. */
  readonly id: string;
  /** The last heartbeat of an earlier run, if there was one. */
  readonly earlier: unknown;
}
