// The SDK's client for batches.
import type { z } from 'zod';
import type {
  abortRequestSchema,
  BatchCounts,
  BatchId,
  BatchInput,
  BatchProgress,
  BatchReport,
  BatchStage,
  concurrencyRequestSchema,
  skipRequestSchema,
} from '../../contracts/batch.js';
import type { requestSchema } from '../../contracts/request.js';
import type {
  DescribedWorkflow,
  ListedWorkflow,
  StartedWorkflow,
  StartOptions,
  WorkflowClient,
} from '../workflow-client.js';
import type { BatchState } from './batch-end.js';
import type { BatchMoveReport } from './batch-moves.js';

export interface StartedBatch extends StartedWorkflow {
  readonly batchId: BatchId;
}

/**
 * A batch at one moment. `progress` stays after the end, but is absent once Temporal has dropped
 * the batch. `error` is set when the batch was stopped, or failed before it had a plan.
 */
export type Batch = StartedBatch & DescribedWorkflow<BatchState, BatchProgress, BatchReport>;

/**
 * A batch in a list. `startedAtMs` is that of its newest run if the first run's start is unknown.
 */
export interface ListedBatch extends StartedBatch, ListedWorkflow<BatchState> {
  readonly stage?: BatchStage;
  /** Absent when neither a worker nor the replica site can tell. */
  readonly counts?: BatchCounts;
  readonly operator?: string | undefined;
  readonly reason?: string | undefined;
}

export type BatchRequest = z.input<typeof requestSchema>;
export type AbortRequest = z.input<typeof abortRequestSchema>;
export type SkipRequest = z.input<typeof skipRequestSchema>;
export type ConcurrencyRequest = z.input<typeof concurrencyRequestSchema>;

export interface RetryOptions extends StartOptions {
  /** Options of the new batch, if one is started. Default: those of the first batch. */
  readonly options?: BatchInput['options'];
}

export interface Retried {
  readonly message: string;
  /** The new batch, set when the first one had ended. */
  readonly started?: StartedBatch;
}

/**
 * Starts, follows and steers batches. Requests to a running batch answer with a sentence, and
 * reject with BATCH_REQUEST_REFUSED when the batch can't grant them now.
 */
export interface BatchClient extends WorkflowClient<BatchInput, StartedBatch, Batch, ListedBatch, BatchState> {
  /**
   * Finds a batch. After Temporal has dropped it the stored report answers, but only for a whole
   * batch id.
   */
  get(id: string): Promise<Batch>;
  /**
   * Cancels a batch. Running moves are rolled back before their commit and completed after it. Same
   * as `abort` with `running: 'roll-back'`, but the history has no operator and reason.
   */
  cancel(id: string): Promise<void>;
  /**
   * Every planned move in the plan's order, with how it ended; paged from the replica site.
   * @throws BATCH_NOT_FOUND
   */
  moves(id: string): AsyncGenerator<BatchMoveReport, void>;
  /**
   * Pauses a batch: no move starts until `resume`; running ones continue.
   * @throws BATCH_NOT_FOUND, BATCH_REQUEST_REFUSED
   */
  pause(id: string, request: BatchRequest): Promise<string>;
  /** Resumes a paused batch. @throws BATCH_NOT_FOUND, BATCH_REQUEST_REFUSED */
  resume(id: string, request: BatchRequest): Promise<string>;
  /**
   * Ends a batch. Running moves finish, or are rolled back if they are before their commit.
   * @throws BATCH_NOT_FOUND, BATCH_REQUEST_REFUSED
   */
  abort(id: string, request: AbortRequest): Promise<string>;
  /**
   * Skips a volume's move when its turn comes.
   * @throws BATCH_NOT_FOUND, BATCH_REQUEST_REFUSED
   */
  skip(id: string, request: SkipRequest): Promise<string>;
  /** Approves the canary. @throws BATCH_NOT_FOUND, BATCH_REQUEST_REFUSED */
  approve(id: string, request: BatchRequest): Promise<string>;
  /**
   * Replaces all limits. A limit that is not given is lifted.
   * @throws BATCH_NOT_FOUND, BATCH_REQUEST_REFUSED
   */
  setConcurrency(id: string, request: ConcurrencyRequest): Promise<string>;
  /**
   * Retries the failed moves: in the running batch, or in a new one if it has ended, with its
   * options unless others are given.
   * @throws BATCH_NOT_FOUND, BATCH_REQUEST_REFUSED when none has failed
   */
  retryFailed(id: string, request: BatchRequest, options?: RetryOptions): Promise<Retried>;
}
