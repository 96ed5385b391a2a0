// What the SDK offers for batches.
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
  requestSchema,
  skipRequestSchema,
} from '../../contracts/batch.js';
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
 * `progress` stays after the end, but is absent of a batch that Temporal has forgotten. `error` is
 * that of one that was stopped, or that failed before it had a plan.
 */
export type Batch = StartedBatch & DescribedWorkflow<BatchState, BatchProgress, BatchReport>;

/** `startedAtMs` is that of its newest run, where nothing tells when the first one began. */
export interface ListedBatch extends StartedBatch, ListedWorkflow<BatchState> {
  readonly stage?: BatchStage;
  /** Absent when neither a worker nor the replica site tells them. */
  readonly counts?: BatchCounts;
  readonly operator?: string | undefined;
  readonly reason?: string | undefined;
}

export type BatchRequest = z.input<typeof requestSchema>;
export type AbortRequest = z.input<typeof abortRequestSchema>;
export type SkipRequest = z.input<typeof skipRequestSchema>;
export type ConcurrencyRequest = z.input<typeof concurrencyRequestSchema>;

export interface RetryOptions extends StartOptions {
  /** In place of the first batch's own, when a new one is started. */
  readonly options?: BatchInput['options'];
}

export interface Retried {
  readonly message: string;
  /** The new batch, when the first one had ended. */
  readonly started?: StartedBatch;
}

/**
 * The requests to a running batch answer with a sentence and reject with BATCH_REQUEST_REFUSED when
 * the batch can't grant them now.
 */
export interface BatchClient extends WorkflowClient<BatchInput, StartedBatch, Batch, ListedBatch, BatchState> {
  /**
   * Knows a batch that Temporal has forgotten by its stored report, if the whole batch id is given.
   */
  get(id: string): Promise<Batch>;
  /**
   * Running moves are put back if they are before their commit, and completed after it. As `abort`
   * with `running: 'roll-back'`, but without an operator and a reason in the history.
   */
  cancel(id: string): Promise<void>;
  /**
   * Every move of its plan, in its order, with how it ended; paged from the replica site.
   * @throws BATCH_NOT_FOUND
   */
  moves(id: string): AsyncGenerator<BatchMoveReport, void>;
  /**
   * No further moves start until `resume`; running ones go on.
   * @throws BATCH_NOT_FOUND, BATCH_REQUEST_REFUSED
   */
  pause(id: string, request: BatchRequest): Promise<string>;
  /** @throws BATCH_NOT_FOUND, BATCH_REQUEST_REFUSED */
  resume(id: string, request: BatchRequest): Promise<string>;
  /**
   * Running moves finish, or are put back if they are before their commit.
   * @throws BATCH_NOT_FOUND, BATCH_REQUEST_REFUSED
   */
  abort(id: string, request: AbortRequest): Promise<string>;
  /**
   * Leaves the move of a volume out when its turn comes.
   * @throws BATCH_NOT_FOUND, BATCH_REQUEST_REFUSED
   */
  skip(id: string, request: SkipRequest): Promise<string>;
  /** Lets the batch go on after its first moves. @throws BATCH_NOT_FOUND, BATCH_REQUEST_REFUSED */
  approve(id: string, request: BatchRequest): Promise<string>;
  /**
   * All limits anew: one that is not given is none.
   * @throws BATCH_NOT_FOUND, BATCH_REQUEST_REFUSED
   */
  setConcurrency(id: string, request: ConcurrencyRequest): Promise<string>;
  /**
   * Gives the failed moves of a running batch another turn; of one that has ended, in a new batch,
   * with its options unless others are given.
   * @throws BATCH_NOT_FOUND, BATCH_REQUEST_REFUSED when none has failed
   */
  retryFailed(id: string, request: BatchRequest, options?: RetryOptions): Promise<Retried>;
}
