// Moves as Temporal workflows: plan, start, get, list, follow and cancel them.
import type { Client, WorkflowExecutionDescription, WorkflowExecutionInfo } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { refuseUnlessOk } from '../../activities/plan.js';
import { invalidField, MoverError, parseOrRefuse } from '../../contracts/errors.js';
import type { Estate } from '../../contracts/estate.js';
import {
  heartbeatSchema,
  type MoveInput,
  moveInputSchema,
  moveProgressSchema,
  moveReportSchema,
  type MoveRequestName,
  type MovePlan,
  type ParsedMoveInput,
} from '../../contracts/move.js';
import { moveIdOf } from '../../contracts/move-id.js';
import { type OperatorRequest, requestSchema } from '../../contracts/request.js';
import type { StoredMoveReport } from '../../contracts/report.js';
import { keywordOf } from '../../contracts/search-attributes.js';
import { attributesAtStart, SEARCH_KEYS } from '../../contracts/search-pairs.js';
import { anyAppliance, type Ports } from '../../control/ports.js';
import { DeadAttempts } from '../doctor/dead-attempts.js';
import { ask } from '../temporal/ask.js';
import type { TemporalAccess } from '../temporal/connection.js';
import { fromTemporal, moveFailureOf } from '../temporal/failure.js';
import { follow } from '../temporal/follow.js';
import { payloadValue } from '../temporal/payload-value.js';
import { isRunning, onlyLook, ProgressReader } from '../temporal/workflow-run.js';
import { endedAs, type FoundRun, literal, type NamedRun, WorkflowRuns } from '../temporal/workflow-runs.js';
import type { FollowOptions } from '../workflow-client.js';
import { defaultWorkflowId } from './move-id.js';
import { wayBackId, wayBackOf } from './way-back.js';
import type {
  ListedMove,
  ListMovesOptions,
  Move,
  MoveClient,
  MoveState,
  ReverseInput,
  ReverseOptions,
  StartedMove,
  StartMoveOptions,
} from './move-client.js';
import { MEASURED_MAX, outlookOf } from './outlook.js';
import { planWithClocks } from './plan.js';
import { planChecks } from './plan-checks.js';
import { getReport, moveOf, reversibleMoves, storedOf, wayBackNow } from './reports.js';
import { takeOver } from './take-over.js';

const memoSchema = z.object({
  input: z.object({ volume: z.string().optional(), volumes: z.array(z.string()).optional(), to: z.string() }),
});

const encodedFailureSchema = z.object({ message: z.string() });

interface Options {
  readonly temporal: () => Promise<TemporalAccess>;
  readonly ports: Ports;
  readonly estate: Estate;
}

export class Moves implements MoveClient {
  readonly #ports: Ports;
  readonly #estate: Estate;
  readonly #runs: WorkflowRuns;
  readonly #attempts: DeadAttempts;

  constructor({ temporal, ports, estate }: Options) {
    this.#ports = ports;
    this.#estate = estate;
    this.#attempts = new DeadAttempts({ temporal, ports });
    this.#runs = new WorkflowRuns(temporal, { type: 'moveVolume', noun: 'move' });
  }

  async plan(input: MoveInput): Promise<MovePlan> {
    const parsed = parseOrRefuse(moveInputSchema, input, 'move');
    const plan = await planWithClocks(this.#ports, this.#estate, parsed);
    const [checks, outlook] = await Promise.all([
      planChecks(this.#ports, parsed, plan),
      this.#recent().then(async (recent) => outlookOf(this.#ports, plan, recent)),
    ]);
    return { ...plan, checks, outlook };
  }

  async start(given: MoveInput, options: StartMoveOptions = {}): Promise<StartedMove> {
    const input = parseOrRefuse(moveInputSchema, given, 'move');
    const { again = options.workflowId === undefined } = options;
    if (!again && options.workflowId !== undefined) {
      const earlier = await this.#earlier(options.workflowId, input);
      if (earlier !== undefined) return earlier;
    }
    const takenOver = options.takeOver === true ? await takeOver(this.#attempts, input) : [];
    if (options.planFirst === true) await this.#refuseImpossible(input);
    const workflowId = options.workflowId ?? defaultWorkflowId(input, await this.#runs.hidesNames());
    // Refuses a workflow id too long for a move id before a workflow exists.
    moveIdOf(workflowId, randomUUID());
    const run = await this.#runs.start({
      workflowId,
      input: given,
      same: { key: 'input', value: input },
      again,
      summary: summaryOf(input),
      searchAttributes: attributesAtStart(input),
    });
    return takenOver.length === 0 ? startedOf(run) : { ...startedOf(run), takenOver };
  }

  async get(id: string): Promise<Move> {
    try {
      return await this.#describe(await this.#runs.find(id));
    } catch (error) {
      if (!(error instanceof MoverError) || error.code !== 'MOVE_NOT_FOUND') throw error;
      const stored = await getReport(this.#ports, id).catch(() => undefined);
      if (stored === undefined) throw error;
      return moveOf(stored);
    }
  }

  async list({ limit, ...filters }: ListMovesOptions = {}): Promise<ListedMove[]> {
    const { volume, group } = filters;
    if ((volume ?? group) !== undefined && (await this.#runs.hidesNames())) throw unsearchable(volume);
    const clauses = clausesOf(filters);
    const clause = clauses.length === 0 ? undefined : clauses.join(' AND ');
    const [moves, untilMs] = await Promise.all([
      this.#runs.list({ clause, limit }, async (info, run) => listedOf(info, run)),
      reversibleMoves(this.#ports),
    ]);
    return moves.map((move) => {
      const reversibleUntilMs = untilMs.get(move.moveId);
      return reversibleUntilMs === undefined ? move : { ...move, reversibleUntilMs };
    });
  }

  async *follow(id: string, options: FollowOptions = {}): AsyncGenerator<Move, void> {
    const first = await this.get(id);
    const progress = new ProgressReader(moveProgressSchema);
    yield* follow(first, async () => this.#describe(await this.#runs.find(first.moveId), progress), options);
  }

  async cancel(id: string): Promise<void> {
    await this.#runs.cancel(id);
  }

  async approve(id: string, request: OperatorRequest): Promise<string> {
    return await this.#ask(id, 'approve', request);
  }

  async pause(id: string, request: OperatorRequest): Promise<string> {
    return await this.#ask(id, 'pause', request);
  }

  async resume(id: string, request: OperatorRequest): Promise<string> {
    return await this.#ask(id, 'resume', request);
  }

  async abort(id: string, request: OperatorRequest): Promise<string> {
    return await this.#ask(id, 'abort', request);
  }

  async wayBack(id: string): Promise<MoveInput> {
    return wayBackOf(await this.#withReport(id));
  }

  async reverse(id: string, wishes: ReverseInput = {}, options: ReverseOptions = {}): Promise<StartedMove> {
    const move = await this.#withReport(id);
    const input = { ...wishes, ...wayBackOf(move) };
    const workflowId = wayBackId(move.moveId);
    // Who asks again, perhaps for another reason, asks for the same move back.
    const earlier = options.again === true ? undefined : await this.#newestUnder(workflowId);
    return earlier ?? (await this.start(input, { ...options, again: true, workflowId }));
  }

  async finalize(id: string, given: OperatorRequest): Promise<string> {
    const request = parseOrRefuse(requestSchema, given, 'finalize');
    const { moveId } = await this.get(id);
    const { wayBack, contents } = await anyAppliance(this.#ports, ({ calls }) =>
      calls.finalize({ move: moveId, ...request }),
    );
    if (wayBack?.ended?.why !== 'finalized') return `The way back of move ${moveId} had ended before.`;
    return `The way back of move ${moveId} has ended: group "${contents?.from}" keeps nothing for it any more.`;
  }

  async report(id: string): Promise<StoredMoveReport> {
    return await getReport(this.#ports, id);
  }

  /** A move that was done, but whose verification failed, has its report at the replica site. */
  async #withReport(id: string): Promise<Move> {
    const move = await this.get(id);
    if (move.state !== 'failed' || move.report !== undefined) return move;
    const report = (await storedOf(this.#ports, move.moveId))?.report;
    return report === undefined ? move : { ...move, report };
  }

  /** The last moves that succeeded. A plan needs no Temporal, so without one there are none. */
  async #recent(): Promise<ListedMove[]> {
    try {
      return await this.list({ state: 'moved', limit: MEASURED_MAX });
    } catch (error) {
      if (error instanceof MoverError) return [];
      throw error;
    }
  }

  async #ask(id: string, update: MoveRequestName, given: OperatorRequest): Promise<string> {
    const request = parseOrRefuse(requestSchema, given, update);
    const found = await this.#runs.find(id);
    const move = isRunning(found) ? undefined : await this.#describe(found);
    const ended = (): MoverError => new MoverError('MOVE_REQUEST_REFUSED', endedText(move, found.id, update));
    const sent = { noun: 'move', update, request, ended, look: 'volume-mover status' } as const;
    return await ask(await this.#runs.client(), found, sent);
  }

  /**
   * The move that was made under the workflow id before, from its stored report once Temporal has
   * dropped it. @throws MoverError ATTEMPT_MISMATCH when it is another move
   */
  async #earlier(workflowId: string, input: ParsedMoveInput): Promise<StartedMove | undefined> {
    const run = await this.#runs.startedBefore({ workflowId, same: { key: 'input', value: input } });
    if (run !== undefined) return { ...startedOf(run), isEarlier: true };
    const stored = await storedOf(this.#ports, workflowId);
    if (stored === undefined) return undefined;
    const asked = input.volumes ?? [input.volume];
    if (stored.to !== input.to || !isDeepStrictEqual(new Set<unknown>(stored.volumes), new Set<unknown>(asked)))
      throw new MoverError('ATTEMPT_MISMATCH', `Another move has run under the workflow id "${workflowId}".`);
    const { moveId, runId, url } = moveOf(stored);
    return { moveId, workflowId, runId, url, isEarlier: true };
  }

  /** The newest move under a workflow id, whatever it moves; undefined when there is none. */
  async #newestUnder(workflowId: string): Promise<StartedMove | undefined> {
    try {
      const { moveId, runId, url } = await this.get(workflowId);
      return { moveId, workflowId, runId, url, isEarlier: true };
    } catch (error) {
      if (error instanceof MoverError && error.code === 'MOVE_NOT_FOUND') return undefined;
      throw error;
    }
  }

  async #refuseImpossible(input: ParsedMoveInput): Promise<void> {
    try {
      refuseUnlessOk(await planWithClocks(this.#ports, this.#estate, input), input);
    } catch (error) {
      if (error instanceof MoverError && error.retryable) return;
      throw error;
    }
  }

  async #describe(found: FoundRun, reader = onlyLook(moveProgressSchema, found)): Promise<Move> {
    const { workflowId, firstRunId, description } = found;
    const { runId, startTime, closeTime } = description;
    const progress = await reader.read(await this.#runs.client(), found);
    return {
      ...startedOf(await this.#runs.named({ workflowId, firstRunId, runId })),
      startedAtMs: startTime.getTime(),
      ...(closeTime === undefined ? {} : { endedAtMs: closeTime.getTime() }),
      ...(progress === undefined ? {} : { progress }),
      ...(isRunning(found) ? await runningOf(await this.#runs.client(), description) : await this.#end(found)),
    };
  }

  async #end(found: FoundRun): Promise<Pick<Move, 'state' | 'report' | 'error' | 'wayBack'>> {
    try {
      const report = parseOrRefuse(moveReportSchema, await this.#runs.resultOf(found), 'report');
      const wayBack = await wayBackNow(this.#ports, report);
      return { state: 'moved', report, ...(wayBack === undefined ? {} : { wayBack }) };
    } catch (error) {
      const failure = moveFailureOf(error);
      if (failure !== undefined) return { state: failure.outcome, error: failure.error };
      throw fromTemporal(error, found.workflowId, 'move');
    }
  }
}

/** A running move, with its step's newest heartbeat, and why it is tried again. */
async function runningOf(
  client: Client,
  { raw }: WorkflowExecutionDescription,
): Promise<Pick<Move, 'state' | 'doing' | 'retrying'>> {
  const [step] = raw.pendingActivities ?? [];
  const doing = heartbeatSchema.safeParse(await payloadValue(client, step?.heartbeatDetails?.payloads?.[0])).data;
  const retrying = step === undefined ? undefined : await retryingOf(client, step);
  return {
    state: 'running',
    ...(doing === undefined ? {} : { doing }),
    ...(retrying === undefined ? {} : { retrying }),
  };
}

type PendingStep = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

async function retryingOf(
  client: Client,
  { attempt, lastFailure, nextAttemptScheduleTime }: PendingStep,
): Promise<Move['retrying']> {
  if (!lastFailure?.message || !attempt) return undefined;
  // A codec hides the message among the failure's encoded attributes.
  const encoded = encodedFailureSchema.safeParse(await payloadValue(client, lastFailure.encodedAttributes)).data;
  // Temporal tells whole seconds apart from the rest; the seconds do here.
  const seconds = nextAttemptScheduleTime?.seconds?.toNumber();
  const nextAtMs = seconds === undefined ? undefined : seconds * 1_000;
  return {
    failures: attempt - 1,
    message: encoded?.message ?? lastFailure.message,
    ...(nextAtMs === undefined ? {} : { nextAtMs }),
  };
}

/** The refusal of a search by a name that Temporal does not have. An empty list would mislead. */
function unsearchable(volume: string | undefined): MoverError {
  const field = volume === undefined ? 'group' : 'volume';
  return invalidField(
    field,
    'names are hidden from Temporal (VOLUME_MOVER_HIDE_NAMES), so it can not search by them',
    `Moves can't be searched by ${field}: names are hidden from Temporal (VOLUME_MOVER_HIDE_NAMES). List all of them, by --since or --batch perhaps: their names are shown.`,
  );
}

/** The refusal of a request to a move that has ended. After a commit it names the way back. */
function endedText(move: Move | undefined, id: string, update: MoveRequestName): string {
  if (move?.report === undefined)
    return `Move "${id}" has ended and cannot be changed. To see how: volume-mover status ${id}`;
  const { to } = move.report;
  return `The move is committed: group "${to.group}" owns the volumes, so it is too late to ${update} it. To move them back: volume-mover reverse ${id}`;
}

const CLAUSES: Readonly<Record<MoveState, string>> = {
  running: endedAs('Running'),
  moved: endedAs('Completed'),
  failed: endedAs('Failed', 'TimedOut'),
  cancelled: endedAs('Canceled'),
  terminated: endedAs('Terminated'),
};

function clausesOf({ state, sinceMs, volume, group, batch }: Omit<ListMovesOptions, 'limit'>): string[] {
  const since = sinceMs === undefined ? '' : literal(new Date(sinceMs).toISOString());
  const inGroup = group === undefined ? '' : literal(keywordOf(group));
  return [
    ...(state === undefined ? [] : [CLAUSES[state]]),
    ...(sinceMs === undefined ? [] : [`(StartTime >= ${since} OR CloseTime >= ${since})`]),
    ...(volume === undefined ? [] : [`Volumes = ${literal(volume)}`]),
    ...(batch === undefined ? [] : [`BatchId = ${literal(keywordOf(batch))}`]),
    ...(group === undefined ? [] : [`(FromGroup = ${inGroup} OR ToGroup = ${inGroup})`]),
  ];
}

function startedOf({ id, ...run }: NamedRun): StartedMove {
  return { moveId: id, ...run };
}

function listedOf(info: WorkflowExecutionInfo, run: NamedRun): ListedMove {
  const { startTime, closeTime, memo, typedSearchAttributes: attributes } = info;
  const state = stateOf(info);
  const [from, to, stage] = [SEARCH_KEYS.FromGroup, SEARCH_KEYS.ToGroup, SEARCH_KEYS.Stage].map((key) =>
    attributes.get(key),
  );
  // Where names are hidden, the memo has them for those who have the codec.
  const named = memoSchema.safeParse(memo).data?.input;
  const target = to ?? named?.to;
  return {
    ...startedOf(run),
    state,
    startedAtMs: startTime.getTime(),
    ...(closeTime === undefined ? {} : { endedAtMs: closeTime.getTime() }),
    volumes:
      attributes.get(SEARCH_KEYS.Volumes) ?? named?.volumes ?? (named?.volume === undefined ? [] : [named.volume]),
    ...(from === undefined ? {} : { from }),
    ...(target === undefined ? {} : { to: target }),
    ...(stage === undefined || state !== 'running' ? {} : { stage }),
  };
}

function stateOf({ status }: WorkflowExecutionInfo): MoveState {
  switch (status.name) {
    case 'RUNNING':
      return 'running';
    case 'COMPLETED':
      return 'moved';
    case 'CANCELLED':
      return 'cancelled';
    case 'TERMINATED':
      return 'terminated';
    default:
      return 'failed';
  }
}

function summaryOf({ volume, volumes, to }: ParsedMoveInput): string {
  const what = volumes === undefined ? volume : volumes.join(', ');
  return `Move ${what} to ${to}`;
}
