// The common client of workflows: moves, verifications and batches have the same calls, options and
// errors.
import type { MoverError } from '../contracts/errors.js';

export interface StartedWorkflow {
  readonly workflowId: string;
  /** The run id of its newest run. */
  readonly runId: string;
  /** Its page in the Temporal UI; undefined when the UI's address is unknown. */
  readonly url: string | undefined;
}

/** A workflow in a list. */
export interface ListedWorkflow<State extends string> extends StartedWorkflow {
  readonly state: State;
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
}

/** A workflow at one moment. `state` is `running` until it has ended. */
export interface DescribedWorkflow<State extends string, Progress, Report> extends ListedWorkflow<State> {
  /** The newest progress from a worker; absent while none has answered. */
  readonly progress?: Progress;
  /** Its result, once it has ended with one. */
  readonly report?: Report;
  /** Why it did not succeed. */
  readonly error?: MoverError;
}

export interface StartOptions {
  /**
   * The workflow id. Default: a new readable one. With your own, a start can be repeated after a
   * lost answer.
   */
  readonly workflowId?: string | undefined;
}

export interface FollowOptions {
  /** Ends the following with the signal's reason; the workflow continues. */
  readonly signal?: AbortSignal | undefined;
  /** Longest time without an answer before UNREACHABLE is thrown, ms. Default: 60 s. */
  readonly outageMsMax?: number | undefined;
}

export interface ListOptions<State extends string> {
  readonly state?: State | undefined;
  /** Length of the list. Default: 20, at most 1,000. */
  readonly limit?: number | undefined;
}

/**
 * Starts, finds, lists, follows and cancels workflows. `id` is what `start` returns (`moveId`,
 * `verificationId`, `batchId`), or a workflow id alone, which means its newest workflow. Calls with
 * an id reject with MOVE_NOT_FOUND, VERIFICATION_NOT_FOUND or BATCH_NOT_FOUND; any may reject with
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
   * Starts a workflow and returns at once. A repeated start with the same workflow id and input
   * returns the running one.
   * @throws INVALID_REQUEST; ATTEMPT_MISMATCH when something else runs under the workflow id
   */
  start(input: Input, options?: StartOptions): Promise<Started>;
  get(id: string): Promise<Described>;
  /**
   * The workflows that Temporal knows: running ones first, then ended ones, the last ended first.
   * @throws INVALID_REQUEST for a limit out of range
   */
  list(options?: ListOptions<ListState>): Promise<Listed[]>;
  /**
   * Yields what `get` returns: at once, then at each change; the last item has ended. Polls fast
   * while things change, at least every 2 s otherwise, and continues through short outages.
   * @throws the signal's reason; UNREACHABLE after `outageMsMax` without an answer
   */
  follow(id: string, options?: FollowOptions): AsyncGenerator<Described, void>;
  /**
   * Asks a workflow to end, and returns once Temporal has the request. An ended one stays as it is.
   */
  cancel(id: string): Promise<void>;
}
