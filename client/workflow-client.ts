// One shape for what runs as a workflow: moves, verifications and batches have the same calls,
// options and errors.
import type { MoverError } from '../contracts/errors.js';

export interface StartedWorkflow {
  readonly workflowId: string;
  /** Of its newest run. */
  readonly runId: string;
  /** In the Temporal UI; undefined when nobody said where the UI is. */
  readonly url: string | undefined;
}

/** What each list tells of a workflow. */
export interface ListedWorkflow<State extends string> extends StartedWorkflow {
  readonly state: State;
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
}

/** A workflow at one moment. `state` is `running` until it has ended. */
export interface DescribedWorkflow<State extends string, Progress, Report> extends ListedWorkflow<State> {
  /** The newest that a worker told; absent while none has answered. */
  readonly progress?: Progress;
  /** What it found or did, once it has ended with something to tell. */
  readonly report?: Report;
  /** Why it did not end as it should. */
  readonly error?: MoverError;
}

export interface StartOptions {
  /**
   * Default: a readable one that is not used yet. With one of your own, starting again after a lost
   * answer is safe.
   */
  readonly workflowId?: string | undefined;
}

export interface FollowOptions {
  /** Ends the following, not what is followed, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Longest time without an answer before UNREACHABLE is thrown, ms; default 60 s. */
  readonly outageMsMax?: number | undefined;
}

export interface ListOptions<State extends string> {
  readonly state?: State | undefined;
  /** 20 by default, 1,000 at most. */
  readonly limit?: number | undefined;
}

/**
 * `id` is what `start` answers with (`moveId`, `verificationId`, `batchId`), or a workflow id
 * alone: then the newest under it is meant. All calls that take an id reject with MOVE_NOT_FOUND,
 * VERIFICATION_NOT_FOUND or BATCH_NOT_FOUND when there is none, and any may reject with
 * UNREACHABLE.
 */
export interface WorkflowClient<
  Input,
  Started extends StartedWorkflow,
  Described extends Started & { readonly state: string },
  Listed extends Started,
  ListState extends string,
> {
  /**
   * Starts one and returns at once. A repeated start with the same workflow id and input returns
   * the running one.
   * @throws INVALID_REQUEST; ATTEMPT_MISMATCH when something else runs under the workflow id
   */
  start(input: Input, options?: StartOptions): Promise<Started>;
  get(id: string): Promise<Described>;
  /**
   * Those that Temporal knows: running ones first, then by end, newest first.
   * @throws INVALID_REQUEST for a limit out of range
   */
  list(options?: ListOptions<ListState>): Promise<Listed[]>;
  /**
   * Yields what `get` returns: at once, then at each change. The last one has ended. Looks quickly
   * while things change and every 2 s at most in a long wait; goes on through short outages.
   * @throws the signal's reason; UNREACHABLE after `outageMsMax` without an answer
   */
  follow(id: string, options?: FollowOptions): AsyncGenerator<Described, void>;
  /**
   * Asks it to end, and returns once Temporal has the request. One that has ended stays as it is.
   */
  cancel(id: string): Promise<void>;
}
