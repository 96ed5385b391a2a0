// Batches as Temporal workflows: start, get, follow and list them, and send them requests.
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Ports } from '../../control/ports.js';
import {
  abortRequestSchema,
  BATCH_UPDATES,
  type BatchId,
  type BatchInput,
  batchOutcomeSchema,
  batchProgressSchema,
  batchReportSchema,
  batchStageSchema,
  concurrencyRequestSchema,
  skipRequestSchema,
} from '../../contracts/batch.js';
import { requestSchema } from '../../contracts/request.js';
import { MoverError, parseOrRefuse } from '../../contracts/errors.js';
import { moveIdOf, parseMoveId } from '../../contracts/move-id.js';
import { keywordOf } from '../../contracts/search-attributes.js';
import { SEARCH_KEYS } from '../../contracts/search-pairs.js';
import { ask } from '../temporal/ask.js';
import type { TemporalAccess } from '../temporal/connection.js';
import { fromTemporal } from '../temporal/failure.js';
import { follow } from '../temporal/follow.js';
import { isRunning, onlyLook, ProgressReader, progressOf } from '../temporal/workflow-run.js';
import { endedAs, type FoundRun, literal, type NamedRun, ofType, WorkflowRuns } from '../temporal/workflow-runs.js';
import type { FollowOptions, ListOptions, StartOptions } from '../workflow-client.js';
import type {
  AbortRequest,
  Batch,
  BatchClient,
  BatchRequest,
  ConcurrencyRequest,
  ListedBatch,
  Retried,
  RetryOptions,
  SkipRequest,
  StartedBatch,
} from './batch-client.js';
import { type BatchEnd, batchEndOf, batchEndOfReport, type BatchState } from './batch-end.js';
import { defaultBatchWorkflowId, digestOf, refuseLongBatchId, wholeBatchId } from './batch-id.js';
import { batchMoves, type BatchMoveReport } from './batch-moves.js';
import { checkBatchInput } from './check-input.js';
import { describeBatch } from './describe-batch.js';
import { firstInput } from './first-input.js';
import { refuseUnknownGroups } from './known-groups.js';
import { storedBatchReport } from './stored-batch.js';

const memoSchema = z.object({ operator: z.string().optional(), reason: z.string().optional() });

export class Batches implements BatchClient {
  readonly #ports: Ports;
  readonly #runs: WorkflowRuns;

  constructor(temporal: () => Promise<TemporalAccess>, ports: Ports) {
    this.#ports = ports;
    this.#runs = new WorkflowRuns(temporal, { type: 'moveBatch', noun: 'batch', lastRunOf });
  }

  async start(given: BatchInput, options: StartOptions = {}): Promise<StartedBatch> {
    const input = checkBatchInput(given, Date.now());
    const workflowId = options.workflowId ?? defaultBatchWorkflowId(input, await this.#runs.hidesNames());
    refuseLongBatchId(workflowId);
    await refuseUnknownGroups(this.#ports, input);
    // Refuses a workflow id too long for a move id before a workflow exists.
    moveIdOf(workflowId, randomUUID());
    const { operator, reason } = input;
    const run = await this.#runs.start({
      workflowId,
      input: given,
      // The memo holds a digest: the list itself may be as large as a history allows, and every
      // listing returns memos.
      same: { key: 'digest', value: digestOf(input) },
      memo: { ...(operator === undefined ? {} : { operator }), ...(reason === undefined ? {} : { reason }) },
      summary: `${input.dryRun ? 'Dry run: move' : 'Move'} ${describeBatch(input)}`,
      searchAttributes: [{ key: SEARCH_KEYS.Stage, value: 'planning' }],
    });
    return startedOf(run);
  }

  async get(id: string): Promise<Batch> {
    try {
      return await this.#describe(await this.#runs.find(id));
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

  async *follow(id: string, options: FollowOptions = {}): AsyncGenerator<Batch, void> {
    const first = await this.get(id);
    const progress = new ProgressReader(batchProgressSchema);
    yield* follow(first, async () => this.#describe(await this.#runs.find(first.batchId), progress), options);
  }

  async list({ state, limit }: ListOptions<BatchState> = {}): Promise<ListedBatch[]> {
    return await this.#runs.list({ clause: clauseOf(state), limit }, async (info, run) => this.#listed(info, run));
  }

  async cancel(id: string): Promise<void> {
    await this.#runs.cancel(id);
  }

  async *moves(id: string): AsyncGenerator<BatchMoveReport, void> {
    yield* batchMoves(this.#ports, wholeBatchId(id) ?? (await this.#runs.find(id)).id);
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
    return await this.#ask(id, 'skip', parseOrRefuse(skipRequestSchema, request, 'skip'));
  }

  async approve(id: string, request: BatchRequest): Promise<string> {
    return await this.#ask(id, 'approve', parseOrRefuse(requestSchema, request, 'approve'));
  }

  async setConcurrency(id: string, request: ConcurrencyRequest): Promise<string> {
    return await this.#ask(id, 'setConcurrency', parseOrRefuse(concurrencyRequestSchema, request, 'concurrency'));
  }

  async retryFailed(id: string, request: BatchRequest, retry: RetryOptions = {}): Promise<Retried> {
    const parsed = parseOrRefuse(requestSchema, request, 'retry');
    const batch = await this.get(id);
    if (batch.state === 'running') return { message: await this.#ask(batch.batchId, 'retryFailed', parsed) };
    if (batch.state === 'dry-run')
      throw new MoverError('BATCH_REQUEST_REFUSED', 'The batch was a dry run, so there is nothing to retry.');
    const failed = (batch.report ?? batch.progress)?.counts.failed;
    if (failed === 0)
      throw new MoverError('BATCH_REQUEST_REFUSED', 'No move of the batch has failed, so there is nothing to retry.');
    const started = await this.start(await this.#retryInput(batch, parsed, retry), retry);
    const what = failed === undefined ? 'failed moves' : failed === 1 ? 'one failed move' : `${failed} failed moves`;
    return { message: `The batch has ended. A new batch retries its ${what}: ${started.batchId}`, started };
  }

  async #retryInput(
    { batchId, workflowId }: Batch,
    { operator, reason }: z.output<typeof requestSchema>,
    { options }: RetryOptions,
  ): Promise<BatchInput> {
    const first = await firstInput(await this.#runs.client(), workflowId, parseMoveId(batchId).firstRunId ?? '');
    // Times given for the first batch are past.
    const { startWithinMs: _late, move, ...kept } = first?.options ?? {};
    const { fenceByMs: _past, ...moveOptions } = move ?? {};
    return { failedOf: batchId, operator, reason, options: { ...kept, move: moveOptions, ...options } };
  }

  async #describe(found: FoundRun, reader = onlyLook(batchProgressSchema, found)): Promise<Batch> {
    const { workflowId, firstRunId, id, description } = found;
    const { runId, startTime, closeTime } = description;
    const answer = await reader.read(await this.#runs.client(), found);
    const progress = answer?.batch === id ? answer : undefined;
    const end = isRunning(found) ? undefined : await this.#end(found);
    return {
      ...startedOf(await this.#runs.named({ workflowId, firstRunId, runId })),
      startedAtMs: end?.report?.startedAtMs ?? progress?.startedAtMs ?? startTime.getTime(),
      ...(closeTime === undefined ? {} : { endedAtMs: closeTime.getTime() }),
      ...(progress === undefined ? {} : { progress }),
      ...(end ?? { state: 'running' }),
    };
  }

  async #end(found: FoundRun): Promise<BatchEnd> {
    try {
      const report = parseOrRefuse(batchReportSchema, await this.#runs.resultOf(found), 'report');
      return { state: report.outcome, report };
    } catch (error) {
      const end = batchEndOf(error);
      if (end === undefined) throw fromTemporal(error, found.workflowId, 'batch');
      const report = end.report ?? (await storedBatchReport(this.#ports, found.id).catch(() => undefined));
      return report === undefined ? end : { ...end, report };
    }
  }

  async #listed(info: WorkflowExecutionInfo, run: NamedRun): Promise<ListedBatch> {
    const { workflowId, runId, closeTime, startTime, typedSearchAttributes, memo } = info;
    const firstRunId = parseMoveId(typedSearchAttributes.get(SEARCH_KEYS.BatchId) ?? '').firstRunId;
    const named = firstRunId === undefined ? run : await this.#runs.named({ workflowId, firstRunId, runId });
    const started = startedOf(named);
    const running = info.status.name === 'RUNNING';
    const latest = running
      ? await progressOf(await this.#runs.client(), batchProgressSchema, workflowId)
      : await storedBatchReport(this.#ports, started.batchId).catch(() => undefined);
    const own = latest?.batch === started.batchId ? latest : undefined;
    // Visibility lags behind the workflow.
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
    const look = 'volume-mover batch status';
    const sent = { noun: 'batch', update: BATCH_UPDATES[update], request, ended, look } as const;
    return await ask(await this.#runs.client(), await this.#runs.find(id), sent);
  }
}

function ended(batchId: string): MoverError {
  const message = `Batch "${batchId}" has ended and cannot be changed. To try its failed moves again: volume-mover batch retry-failed ${batchId} --reason <why>`;
  return new MoverError('BATCH_REQUEST_REFUSED', message);
}

function isNotFound(error: unknown): error is MoverError {
  return error instanceof MoverError && error.code === 'BATCH_NOT_FOUND';
}

/** The last run of a batch whose workflow id was used again. @throws MoverError BATCH_NOT_FOUND */
async function lastRunOf(client: Client, batchId: BatchId): Promise<string> {
  const query = `${ofType('moveBatch')} AND BatchId = ${literal(keywordOf(batchId))}`;
  for await (const { runId } of client.workflow.list({ query })) return runId;
  throw new MoverError('BATCH_NOT_FOUND', `Temporal has no batch "${batchId}".`);
}

function clauseOf(state: BatchState | undefined): string | undefined {
  switch (state) {
    case undefined:
      return undefined;
    case 'running':
      return endedAs('Running');
    case 'cancelled':
      return endedAs('Canceled');
    case 'terminated':
      return endedAs('Terminated');
    default:
      return `Outcome = ${literal(state)}`;
  }
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

function startedOf({ id, ...run }: NamedRun): StartedBatch {
  return { batchId: id, ...run };
}
