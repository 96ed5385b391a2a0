// Moves as Temporal workflows: start, look at, watch, cancel.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { refuseUnlessOk } from '../../activities/plan.js';
import { MoverError, parseOrRefuse } from '../../contracts/errors.js';
import type { MoveId } from '../../contracts/ids.js';
import {
  type MoveInput,
  moveInputSchema,
  type MoveProgress,
  moveProgressSchema,
  type MoveReport,
  moveReportSchema,
  type MovePlan,
  type ParsedMoveInput,
} from '../../contracts/move.js';
import { fromTemporal, moveFailureOf, type MoveFailure } from '../temporal/failure.js';
import { moveIdOf } from '../../contracts/move-id.js';
import { attributesAtStart } from '../../contracts/search-pairs.js';
import { defaultWorkflowId, parseMoveId } from './move-id.js';
import { startOnce, type StartedRun } from '../temporal/start-once.js';
import { type TemporalAccess, workflowUrl } from '../temporal/connection.js';
import { describeRun, type DescribedRun, progressOf } from '../temporal/workflow-run.js';

const WORKFLOW_TYPE = 'moveVolume';
/**
 * Between looks at a running move, ms: a step takes from 20 ms up; people see no difference below
 * this.
 */
const WATCH_INTERVAL_MS = 150;

export interface StartedMove {
  readonly moveId: MoveId;
  readonly workflowId: string;
  readonly runId: string;
  /** The move in the Temporal UI; undefined when nobody said where the UI is. */
  readonly url: string | undefined;
}

export type MoveState = 'running' | 'moved' | MoveFailure['outcome'];

export interface Move extends StartedMove {
  readonly state: MoveState;
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
  /** Absent while no worker answers. */
  readonly progress?: MoveProgress;
  /** Of a move that is done. */
  readonly report?: MoveReport;
  /** Of a move that did not succeed. */
  readonly error?: MoverError;
}

export interface StartMoveOptions {
  /**
   * Default: a readable one that is not used yet. With one of your own, starting again after a lost
   * answer is safe.
   */
  readonly workflowId?: string | undefined;
  /**
   * Refuses an impossible move before there is a workflow. A move waits for reasons that pass by
   * themselves. Default: false.
   */
  readonly planFirst?: boolean | undefined;
}

type Plan = (input: ParsedMoveInput) => Promise<MovePlan>;

export interface WatchOptions {
  /** Ends the watching, not the move, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

export class Moves {
  readonly #temporal: () => Promise<TemporalAccess>;
  readonly #plan: Plan;

  constructor(temporal: () => Promise<TemporalAccess>, plan: Plan) {
    this.#temporal = temporal;
    this.#plan = plan;
  }

  /**
   * @throws MoverError INVALID_REQUEST, ATTEMPT_MISMATCH, UNREACHABLE; MOVE_REFUSED when it is
   * planned first
   */
  async start(given: MoveInput, options: StartMoveOptions = {}): Promise<StartedMove> {
    const input = parseOrRefuse(moveInputSchema, given, 'move');
    if (options.planFirst === true) await this.#refuseHopeless(input);
    const access = await this.#temporal();
    const workflowId = options.workflowId ?? defaultWorkflowId(input);
    // An id that a move can't have is refused before there is a workflow.
    moveIdOf(workflowId, randomUUID());
    const run = await startOnce(access.client, {
      type: WORKFLOW_TYPE,
      noun: 'move',
      workflowId,
      input: given,
      same: { key: 'input', value: input },
      summary: summaryOf(input),
      searchAttributes: attributesAtStart(input),
    });
    return started(access, run);
  }

  async #refuseHopeless(input: ParsedMoveInput): Promise<void> {
    try {
      refuseUnlessOk(await this.#plan(input));
    } catch (error) {
      if (error instanceof MoverError && error.retryable) return;
      throw error;
    }
  }

  /** @throws MoverError MOVE_NOT_FOUND, UNREACHABLE */
  async get(id: string): Promise<Move> {
    const access = await this.#temporal();
    const { workflowId, firstRunId, description } = await this.#describe(id);
    const { runId, status } = description;
    const progress = await this.#progress(workflowId, runId);
    const base = {
      ...started(access, { workflowId, firstRunId, runId }),
      startedAtMs: description.startTime.getTime(),
      ...(description.closeTime === undefined ? {} : { endedAtMs: description.closeTime.getTime() }),
      ...(progress === undefined ? {} : { progress }),
    };
    if (status.name === 'RUNNING') return { ...base, state: 'running' };
    return { ...base, ...(await this.#end(workflowId, runId)) };
  }

  /**
   * Each change of the move's progress, the last one included.
   * @throws as `get`; the signal's reason
   */
  async *watch(id: string, { signal }: WatchOptions = {}): AsyncGenerator<MoveProgress, void> {
    let seen: MoveProgress | undefined;
    const { workflowId, description } = await this.#describe(id);
    const { runId } = description;
    for (;;) {
      signal?.throwIfAborted();
      const progress = await this.#progress(workflowId, runId);
      if (progress !== undefined && !isDeepStrictEqual(progress, seen)) yield progress;
      seen = progress ?? seen;
      const ended = progress === undefined || progress.stage === 'done' || progress.stage === 'failed';
      if (ended && !(await this.#isRunning(workflowId, runId))) return;
      await delay(WATCH_INTERVAL_MS, undefined, signal === undefined ? {} : { signal });
    }
  }

  /** @throws MoverError MOVE_NOT_FOUND, UNREACHABLE */
  async cancel(id: string): Promise<void> {
    const { client } = await this.#temporal();
    const { workflowId, description } = await this.#describe(id);
    if (description.status.name !== 'RUNNING') return;
    try {
      await client.workflow.getHandle(workflowId, description.runId).cancel();
    } catch (error) {
      throw fromTemporal(error, workflowId);
    }
  }

  /** The newest run of the move: after a reset it is not the one that the move id names. */
  async #describe(id: string): Promise<DescribedRun> {
    const { client } = await this.#temporal();
    const { workflowId, firstRunId } = parseMoveId(id);
    try {
      const newest = await describeRun(client, workflowId);
      if (firstRunId === undefined || newest.firstRunId === firstRunId) return newest;
      return await describeRun(client, workflowId, firstRunId);
    } catch (error) {
      throw fromTemporal(error, workflowId);
    }
  }

  async #isRunning(workflowId: string, runId: string): Promise<boolean> {
    const { client } = await this.#temporal();
    try {
      return (await describeRun(client, workflowId, runId)).description.status.name === 'RUNNING';
    } catch (error) {
      throw fromTemporal(error, workflowId);
    }
  }

  async #progress(workflowId: string, runId: string): Promise<MoveProgress | undefined> {
    const { client } = await this.#temporal();
    return progressOf(client, moveProgressSchema, workflowId, runId);
  }

  async #end(workflowId: string, runId: string): Promise<Pick<Move, 'state' | 'report' | 'error'>> {
    const { client } = await this.#temporal();
    try {
      const result: unknown = await client.workflow.getHandle(workflowId, runId).result();
      return { state: 'moved', report: parseOrRefuse(moveReportSchema, result, 'report') };
    } catch (error) {
      const failure = moveFailureOf(error);
      if (failure !== undefined) return { state: failure.outcome, error: failure.error };
      if (error instanceof MoverError) throw error;
      throw fromTemporal(error, workflowId);
    }
  }
}

function started(access: TemporalAccess, { workflowId, firstRunId, runId }: StartedRun): StartedMove {
  return { moveId: moveIdOf(workflowId, firstRunId), workflowId, runId, url: workflowUrl(access, workflowId, runId) };
}

function summaryOf({ volume, volumes, to }: ParsedMoveInput): string {
  const what = volumes === undefined ? volume : volumes.join(', ');
  return `Move ${what} to ${to}`;
}
