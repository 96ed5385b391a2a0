// Batches as Temporal workflows: start, look at, watch, list, and ask things of them while they
// run.
import {
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowExecutionInfo,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Ports } from '../../control/ports.js';
import {
  abortRequestSchema,
  BATCH_UPDATES,
  type BatchCounts,
  type BatchId,
  type BatchInput,
  batchOutcomeSchema,
  type BatchProgress,
  batchProgressSchema,
  batchReportSchema,
  type BatchStage,
  batchStageSchema,
  concurrencyRequestSchema,
  requestSchema,
  skipRequestSchema,
} from '../../contracts/batch.js';
import { MoverError, parseOrRefuse } from '../../contracts/errors.js';
import { keywordOf } from '../../contracts/search-attributes.js';
import { moveIdOf } from '../../contracts/move-id.js';
import { SEARCH_KEYS } from '../../contracts/search-pairs.js';
import { type BatchEnd, batchEndOf, batchEndOfReport, type BatchState } from './batch-end.js';
import { defaultBatchWorkflowId, digestOf, refuseLongBatchId, wholeBatchId } from './batch-id.js';
import { batchMoves, type BatchMoveReport } from './batch-moves.js';
import { batchWords } from './batch-words.js';
import { checkBatchInput } from './check-input.js';
import { firstInput } from './first-input.js';
import { storedBatchReport } from './stored-batch.js';
import { findApplicationFailure, fromApplicationFailure, fromTemporal } from '../temporal/failure.js';
import { parseMoveId } from '../moves/move-id.js';
import type { StartMoveOptions, WatchOptions } from '../moves/moves.js';
import { startOnce, type StartedRun } from '../temporal/start-once.js';
import { type TemporalAccess, workflowUrl } from '../temporal/connection.js';
import { describeRun, type DescribedRun, progressOf } from '../temporal/workflow-run.js';

const WORKFLOW_TYPE = 'moveBatch';
/** Longest wait for an update's answer, ms: one that looks through the plan may take 30 s. */
const UPDATE_TIMEOUT_MS = 40_000;
/** Between looks at a running batch, ms: each costs its worker a task. */
const WATCH_INTERVAL_MS = 1_000;
/** Listed when nobody says how many. */
const LISTED_DEFAULT = 20;
const LISTED_MAX = 1_000;
/** Batches of a list that are asked for their counts at once. */
const LOOKS_AT_ONCE = 10;

export interface StartedBatch {
  readonly batchId: BatchId;
  readonly workflowId: string;
  readonly runId: string;
  /** The batch in the Temporal UI; undefined when nobody said where the UI is. */
  readonly url: string | undefined;
}

export interface Batch extends StartedBatch, Omit<BatchEnd, 'state'> {
  readonly state: BatchState;
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
  /** Absent while no worker answers, and of a batch that Temporal has forgotten. */
  readonly progress?: BatchProgress;
}

export interface ListedBatch extends StartedBatch {
  readonly state: BatchState;
  readonly stage?: BatchStage;
  /** Of its newest run, where nothing tells when the first one began. */
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
  /** Absent when neither a worker nor the replica site tells them. */
  readonly counts?: BatchCounts;
  readonly operator?: string | undefined;
  readonly reason?: string | undefined;
}

export interface ListBatchesOptions {
  /** Only those that run, or that ended so. */
  readonly state?: Exclude<BatchState, 'cancelled' | 'terminated'> | undefined;
  /** 20 by default, 1,000 at most. */
  readonly limit?: number | undefined;
}

export type BatchRequest = z.input<typeof requestSchema>;
export type AbortRequest = z.input<typeof abortRequestSchema>;
export type SkipRequest = z.input<typeof skipRequestSchema>;
export type ConcurrencyRequest = z.input<typeof concurrencyRequestSchema>;

export interface RetryOptions extends StartMoveOptions {
  /** In place of the first batch's own, when a new one is started. */
  readonly options?: BatchInput['options'];
}

export interface Retried {
  readonly message: string;
  /** The new batch, when the first one had ended. */
  readonly started?: StartedBatch;
}

/**
 * Every call rejects with a MoverError, as all of the client; any may reject with UNREACHABLE. `id`
 * is a batch id, or a workflow id alone: then its newest batch is meant. The requests answer with a
 * sentence and reject with BATCH_REQUEST_REFUSED when the batch can't grant them now.
 */
export interface BatchClient {
  /**
   * Starts a batch and returns at once. Repeating it with the same workflow id and input while it
   * runs returns the running one.
   * @throws INVALID_REQUEST; ATTEMPT_MISMATCH when another batch runs under the workflow id
   */
  start(input: BatchInput, options?: StartMoveOptions): Promise<StartedBatch>;
  /**
   * By its stored report when Temporal has forgotten it; that needs the whole batch id.
   * @throws BATCH_NOT_FOUND
   */
  get(id: string): Promise<Batch>;
  /**
   * Yields the progress at each change until the batch has ended.
   * @throws BATCH_NOT_FOUND; the signal's reason
   */
  watch(id: string, options?: WatchOptions): AsyncGenerator<BatchProgress, void>;
  /** Those that Temporal knows: running ones first, then by end, newest first. */
  list(options?: ListBatchesOptions): Promise<ListedBatch[]>;
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

interface Found extends DescribedRun {
  readonly batchId: BatchId;
}

const answerSchema = z.object({ message: z.string() });
const memoSchema = z.object({ operator: z.string().optional(), reason: z.string().optional() });

export class Batches implements BatchClient {
  readonly #temporal: () => Promise<TemporalAccess>;
  readonly #ports: Ports;

  constructor(temporal: () => Promise<TemporalAccess>, ports: Ports) {
    this.#temporal = temporal;
    this.#ports = ports;
  }

  async start(given: BatchInput, options: StartMoveOptions = {}): Promise<StartedBatch> {
    const input = checkBatchInput(given, Date.now());
    const workflowId = options.workflowId ?? defaultBatchWorkflowId(input);
    refuseLongBatchId(workflowId);
    // An id that nothing can have is refused before there is a workflow.
    moveIdOf(workflowId, randomUUID());
    const access = await this.#temporal();
    const { operator, reason } = input;
    const run = await startOnce(access.client, {
      type: WORKFLOW_TYPE,
      noun: 'batch',
      workflowId,
      input: given,
      // The list itself may be as large as a history allows, and memos come with every listing.
      same: { key: 'digest', value: digestOf(input) },
      memo: { ...(operator === undefined ? {} : { operator }), ...(reason === undefined ? {} : { reason }) },
      summary: `${input.dryRun ? 'Dry run: move' : 'Move'} ${batchWords(input)}`,
      searchAttributes: [{ key: SEARCH_KEYS.Stage, value: 'planning' }],
    });
    return startedOf(access, run);
  }

  async get(id: string): Promise<Batch> {
    try {
      return await this.#look(await this.#find(id));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const batchId = wholeBatchId(id);
      const report = batchId === undefined ? undefined : await storedBatchReport(this.#ports, batchId);
      if (report === undefined) throw error;
      const { workflowId, firstRunId = '' } = parseMoveId(report.batch);
      const { startedAtMs, endedAtMs } = report;
      const named = { batchId: report.batch, workflowId, runId: firstRunId, url: undefined };
      return { ...named, startedAtMs, endedAtMs, ...batchEndOfReport(report) };
    }
  }

  async *watch(id: string, { signal }: WatchOptions = {}): AsyncGenerator<BatchProgress, void> {
    const { workflowId, batchId } = await this.#find(id);
    let seen: BatchProgress | undefined;
    for (;;) {
      signal?.throwIfAborted();
      // Without a run id: a batch goes from run to run.
      const answer = await this.#progress(workflowId);
      const progress = answer?.batch === batchId ? answer : undefined;
      if (progress !== undefined && !isDeepStrictEqual(progress, seen)) yield progress;
      seen = progress ?? seen;
      const ended = progress === undefined || progress.stage === 'done' || progress.stage === 'failed';
      if (ended && !isRunning((await this.#find(batchId)).description)) return;
      await delay(WATCH_INTERVAL_MS, undefined, signal === undefined ? {} : { signal });
    }
  }

  async list({ state, limit = LISTED_DEFAULT }: ListBatchesOptions = {}): Promise<ListedBatch[]> {
    if (!Number.isInteger(limit) || limit < 1 || limit > LISTED_MAX)
      throw new MoverError('INVALID_REQUEST', `limit: a whole number from 1 to ${LISTED_MAX} is expected.`);
    const access = await this.#temporal();
    const found: WorkflowExecutionInfo[] = [];
    try {
      for await (const info of access.client.workflow.list({ query: listQuery(state) })) {
        found.push(info);
        if (found.length === limit) break;
      }
    } catch (error) {
      throw fromTemporal(error, WORKFLOW_TYPE, 'batch');
    }
    const listed: ListedBatch[] = [];
    while (listed.length < found.length)
      listed.push(
        ...(await Promise.all(
          found.slice(listed.length, listed.length + LOOKS_AT_ONCE).map(async (info) => this.#listed(access, info)),
        )),
      );
    return listed;
  }

  async *moves(id: string): AsyncGenerator<BatchMoveReport, void> {
    yield* batchMoves(this.#ports, wholeBatchId(id) ?? (await this.#find(id)).batchId);
  }

  async pause(id: string, request: BatchRequest): Promise<string> {
    return await this.#ask(id, 'pause', parseOrRefuse(requestSchema, request, 'pause'));
  }

  async resume(id: string, request: BatchRequest): Promise<string> {
    return await this.#ask(id, 'resume', parseOrRefuse(requestSchema, request, 'resume'));
  }

  async abort(id: string, request: AbortRequest): Promise<string> {
    return await this.#ask(id, 'abort', parseOrRefuse(abortRequestSchema, request, 'abort'));
  }

  async skip(id: string, request: SkipRequest): Promise<string> {
    return await this.#ask(id, 'skipVolume', parseOrRefuse(skipRequestSchema, request, 'skip'));
  }

  async approve(id: string, request: BatchRequest): Promise<string> {
    return await this.#ask(id, 'approveCanary', parseOrRefuse(requestSchema, request, 'approve'));
  }

  async setConcurrency(id: string, request: ConcurrencyRequest): Promise<string> {
    return await this.#ask(id, 'setConcurrency', parseOrRefuse(concurrencyRequestSchema, request, 'concurrency'));
  }

  async retryFailed(id: string, request: BatchRequest, retry: RetryOptions = {}): Promise<Retried> {
    const parsed = parseOrRefuse(requestSchema, request, 'retry');
    const batch = await this.get(id);
    if (batch.state === 'running') return { message: await this.#ask(batch.batchId, 'retryFailed', parsed) };
    if (batch.state === 'dry-run')
      throw new MoverError(
        'BATCH_REQUEST_REFUSED',
        'The batch was a dry run; nothing was tried, and nothing can be tried again.',
      );
    const failed = (batch.report ?? batch.progress)?.counts.failed;
    if (failed === 0)
      throw new MoverError('BATCH_REQUEST_REFUSED', 'No move of the batch failed; there is nothing to try again.');
    const started = await this.start(await this.#retryInput(batch, parsed, retry), retry);
    const what = failed === undefined ? 'failed moves' : failed === 1 ? 'one failed move' : `${failed} failed moves`;
    return { message: `The batch had ended: its ${what} go on as batch ${started.batchId}.`, started };
  }

  async #retryInput(
    { batchId, workflowId }: Batch,
    { operator, reason }: z.output<typeof requestSchema>,
    { options }: RetryOptions,
  ): Promise<BatchInput> {
    const { client } = await this.#temporal();
    const first = await firstInput(client, workflowId, parseMoveId(batchId).firstRunId ?? '');
    // What was said about times of the first batch is past.
    const { startWithinMs: _late, move, ...kept } = first?.options ?? {};
    const { fenceByMs: _past, ...moveOptions } = move ?? {};
    return { failedOf: batchId, operator, reason, options: { ...kept, move: moveOptions, ...options } };
  }

  /** The newest run of the batch. @throws MoverError BATCH_NOT_FOUND, UNREACHABLE */
  async #find(id: string): Promise<Found> {
    const { client } = await this.#temporal();
    const { workflowId, firstRunId } = parseMoveId(id);
    try {
      const newest = await describeRun(client, workflowId);
      const found =
        firstRunId === undefined || newest.firstRunId === firstRunId
          ? newest
          : await describeRun(client, workflowId, await lastRunOf(client, moveIdOf(workflowId, firstRunId)));
      if (found.description.type !== WORKFLOW_TYPE)
        throw new MoverError(
          'BATCH_NOT_FOUND',
          `"${workflowId}" is no batch but a workflow of type ${found.description.type}.`,
        );
      return { ...found, batchId: moveIdOf(workflowId, found.firstRunId) };
    } catch (error) {
      if (error instanceof MoverError) throw error;
      throw fromTemporal(error, workflowId, 'batch');
    }
  }

  async #look({ workflowId, firstRunId, batchId, description }: Found): Promise<Batch> {
    const access = await this.#temporal();
    const { runId, startTime, closeTime } = description;
    const running = isRunning(description);
    const answer = await this.#progress(workflowId, running ? undefined : runId);
    const progress = answer?.batch === batchId ? answer : undefined;
    const end = running ? undefined : await this.#end(workflowId, runId, batchId);
    return {
      ...startedOf(access, { workflowId, firstRunId, runId }),
      startedAtMs: end?.report?.startedAtMs ?? progress?.startedAtMs ?? startTime.getTime(),
      ...(closeTime === undefined ? {} : { endedAtMs: closeTime.getTime() }),
      ...(progress === undefined ? {} : { progress }),
      ...(end ?? { state: 'running' }),
    };
  }

  async #end(workflowId: string, runId: string, batchId: BatchId): Promise<BatchEnd> {
    const { client } = await this.#temporal();
    try {
      const result: unknown = await client.workflow.getHandle(workflowId, runId).result();
      const report = parseOrRefuse(batchReportSchema, result, 'report');
      return { state: report.outcome, report };
    } catch (error) {
      const end = batchEndOf(error);
      if (end === undefined) throw error instanceof MoverError ? error : fromTemporal(error, workflowId, 'batch');
      const report = end.report ?? (await storedBatchReport(this.#ports, batchId).catch(() => undefined));
      return report === undefined ? end : { ...end, report };
    }
  }

  async #progress(workflowId: string, runId?: string): Promise<BatchProgress | undefined> {
    const { client } = await this.#temporal();
    return progressOf(client, batchProgressSchema, workflowId, runId);
  }

  async #listed(access: TemporalAccess, info: WorkflowExecutionInfo): Promise<ListedBatch> {
    const { workflowId, runId, closeTime, startTime, typedSearchAttributes, memo } = info;
    const named = parseMoveId(typedSearchAttributes.get(SEARCH_KEYS.BatchId) ?? '').firstRunId;
    const started = startedOf(access, { workflowId, firstRunId: named ?? (info.raw.firstRunId || runId), runId });
    const running = info.status.name === 'RUNNING';
    const seen = running
      ? await this.#progress(workflowId)
      : await storedBatchReport(this.#ports, started.batchId).catch(() => undefined);
    const own = seen?.batch === started.batchId ? seen : undefined;
    // Visibility comes a little later than what happens.
    const stage =
      own !== undefined && 'stage' in own
        ? own.stage
        : batchStageSchema.safeParse(typedSearchAttributes.get(SEARCH_KEYS.Stage)).data;
    return {
      ...started,
      state: stateOf(info),
      ...(running && stage !== undefined ? { stage } : {}),
      startedAtMs: own?.startedAtMs ?? startTime.getTime(),
      ...(closeTime === undefined ? {} : { endedAtMs: closeTime.getTime() }),
      ...(own === undefined ? {} : { counts: own.counts }),
      ...memoSchema.safeParse(memo ?? {}).data,
    };
  }

  async #ask(id: string, update: keyof typeof BATCH_UPDATES, request: object): Promise<string> {
    const { client } = await this.#temporal();
    const { workflowId, firstRunId, batchId, description } = await this.#find(id);
    if (!isRunning(description)) throw ended(batchId);
    // The newest run of this very batch, whatever comes under its workflow id later.
    const handle = client.workflow.getHandle(workflowId, undefined, { firstExecutionRunId: firstRunId });
    try {
      const answer = await client.withDeadline(Date.now() + UPDATE_TIMEOUT_MS, () =>
        handle.executeUpdate<unknown, [object]>(BATCH_UPDATES[update], { args: [request] }),
      );
      return parseOrRefuse(answerSchema, answer, 'answer').message;
    } catch (error) {
      throw refusalOf(error, batchId, workflowId);
    }
  }
}

function refusalOf(error: unknown, batchId: BatchId, workflowId: string): MoverError {
  if (error instanceof MoverError) return error;
  if (error instanceof WorkflowUpdateFailedError) {
    const application = findApplicationFailure(error.cause);
    if (application !== undefined) return fromApplicationFailure(application);
  }
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
    const message =
      'No worker answered in time; the request may still be granted. Look with: volume-mover batch status';
    return new MoverError('UNREACHABLE', `${message} ${batchId}`, { cause: error });
  }
  if (error instanceof WorkflowNotFoundError) return ended(batchId);
  return fromTemporal(error, workflowId, 'batch');
}

function ended(batchId: BatchId): MoverError {
  const message = `Batch "${batchId}" has ended; nothing about it can be changed any more.`;
  return new MoverError('BATCH_REQUEST_REFUSED', message);
}

function isNotFound(error: unknown): error is MoverError {
  return error instanceof MoverError && error.code === 'BATCH_NOT_FOUND';
}

function isRunning({ status }: WorkflowExecutionDescription): boolean {
  return status.name === 'RUNNING';
}

/** Of a batch whose workflow id has been used again since. @throws MoverError BATCH_NOT_FOUND */
async function lastRunOf(client: Client, batchId: BatchId): Promise<string> {
  const query = `${ofType()} AND BatchId = ${literal(keywordOf(batchId))}`;
  for await (const { runId } of client.workflow.list({ query })) return runId;
  throw new MoverError('BATCH_NOT_FOUND', `Temporal has no batch "${batchId}".`);
}

/** Earlier runs of a batch are no batches of their own. */
function ofType(): string {
  return `WorkflowType = ${literal(WORKFLOW_TYPE)} AND ExecutionStatus != 'ContinuedAsNew'`;
}

function listQuery(state: ListBatchesOptions['state']): string {
  if (state === undefined) return ofType();
  return state === 'running'
    ? `${ofType()} AND ExecutionStatus = 'Running'`
    : `${ofType()} AND Outcome = ${literal(state)}`;
}

/** A string of a visibility query. */
function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function stateOf({ status, typedSearchAttributes }: WorkflowExecutionInfo): BatchState {
  switch (status.name) {
    case 'RUNNING':
      return 'running';
    case 'CANCELLED':
      return 'cancelled';
    case 'TERMINATED':
      return 'terminated';
    default:
      return batchOutcomeSchema.safeParse(typedSearchAttributes.get(SEARCH_KEYS.Outcome)).data ?? 'failed';
  }
}

function startedOf(access: TemporalAccess, { workflowId, firstRunId, runId }: StartedRun): StartedBatch {
  return { batchId: moveIdOf(workflowId, firstRunId), workflowId, runId, url: workflowUrl(access, workflowId, runId) };
}
