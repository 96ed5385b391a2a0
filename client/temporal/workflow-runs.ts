// The runs of one workflow type: start once, find by id, list, cancel. Moves, verifications and
// batches each use one.
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { MoverError } from '../../contracts/errors.js';
import type { MoveId } from '../../contracts/ids.js';
import { moveIdOf, parseMoveId } from '../../contracts/move-id.js';
import { WORKFLOW_TYPES } from '../../contracts/workflow-types.js';
import type { StartedWorkflow } from '../workflow-client.js';
import { type TemporalAccess, workflowUrl } from './connection.js';
import { fromTemporal, notFound, type WorkflowNoun } from './failure.js';
import { startedBefore, startOnce, type StartOnce, type StartedRun } from './start-once.js';
import { describeRun, type DescribedRun, isRunning } from './workflow-run.js';

/** Default length of a list. */
const LISTED_DEFAULT = 20;
const LISTED_MAX = 1_000;
/** Workflows of a list that are examined at once. */
const READ_AT_ONCE = 10;

export interface WorkflowKind {
  readonly type: (typeof WORKFLOW_TYPES)[number];
  readonly noun: WorkflowNoun;
  /**
   * Finds the last run of a workflow whose id was used again. Default: its first run.
   * @throws MoverError when Temporal has none
   */
  readonly lastRunOf?: (client: Client, id: MoveId) => Promise<string>;
}

export interface FoundRun extends DescribedRun {
  readonly id: MoveId;
}

/** A run with the id shared by all runs of its workflow. */
export interface NamedRun extends StartedWorkflow {
  readonly id: MoveId;
}

interface EndedRun extends Pick<DescribedRun, 'workflowId'> {
  readonly description: { readonly runId: string };
}

export class WorkflowRuns {
  readonly #temporal: () => Promise<TemporalAccess>;
  readonly #kind: WorkflowKind;

  constructor(temporal: () => Promise<TemporalAccess>, kind: WorkflowKind) {
    this.#temporal = temporal;
    this.#kind = kind;
  }

  async client(): Promise<Client> {
    return (await this.#temporal()).client;
  }

  /** Whether names must not stand in clear: workflow ids do. */
  async hidesNames(): Promise<boolean> {
    return (await this.#temporal()).hidesNames === true;
  }

  /** Starts a workflow. @throws MoverError ATTEMPT_MISMATCH, UNREACHABLE */
  async start(start: Omit<StartOnce, 'type' | 'noun'>): Promise<NamedRun> {
    const access = await this.#temporal();
    const { type, noun } = this.#kind;
    return await this.named(await startOnce(access, { type, noun, ...start }));
  }

  /**
   * The workflow that was started before under the id with the same input, running or ended;
   * undefined when Temporal knows none. @throws MoverError ATTEMPT_MISMATCH, UNREACHABLE
   */
  async startedBefore(start: Pick<StartOnce, 'workflowId' | 'same'>): Promise<NamedRun | undefined> {
    const { client } = await this.#temporal();
    const { type, noun } = this.#kind;
    try {
      return await this.named(await startedBefore(client, { type, noun, ...start }));
    } catch (error) {
      if (error instanceof MoverError && error.code === notFound(noun, '').code) return undefined;
      throw error;
    }
  }

  async named({ workflowId, firstRunId, runId }: StartedRun): Promise<NamedRun> {
    const url = workflowUrl(await this.#temporal(), workflowId, runId);
    return { id: moveIdOf(workflowId, firstRunId), workflowId, runId, url };
  }

  /**
   * Finds the newest run; after a reset it is not the one in the id.
   * @throws MoverError not found, UNREACHABLE
   */
  async find(id: string): Promise<FoundRun> {
    const { client } = await this.#temporal();
    const { type, noun, lastRunOf } = this.#kind;
    const { workflowId, firstRunId } = parseMoveId(id);
    try {
      const newest = await describeRun(client, workflowId);
      const found =
        firstRunId === undefined || newest.firstRunId === firstRunId
          ? newest
          : await describeRun(
              client,
              workflowId,
              (await lastRunOf?.(client, moveIdOf(workflowId, firstRunId))) ?? firstRunId,
            );
      if (found.description.type !== type)
        throw notFound(noun, `"${workflowId}" is not a ${noun}; ${whatItIs(found.description.type, id)}`);
      return { ...found, id: moveIdOf(workflowId, found.firstRunId) };
    } catch (error) {
      throw fromTemporal(error, workflowId, noun);
    }
  }

  /** Cancels a workflow; an ended one stays as it is. @throws as `find` */
  async cancel(id: string): Promise<void> {
    const { client } = await this.#temporal();
    const found = await this.find(id);
    if (!isRunning(found)) return;
    const { workflowId, firstRunId } = found;
    try {
      // Pins this very workflow, in case its id is used again.
      await client.workflow.getHandle(workflowId, undefined, { firstExecutionRunId: firstRunId }).cancel();
    } catch (error) {
      throw fromTemporal(error, workflowId, this.#kind.noun);
    }
  }

  /** The result of a run. @throws Temporal's own errors, the failure of the run among them */
  async resultOf({ workflowId, description: { runId } }: EndedRun): Promise<unknown> {
    const { client } = await this.#temporal();
    return await client.workflow.getHandle(workflowId, runId).result();
  }

  /**
   * Calls `read` for each run that a visibility query selects, in Temporal's order. Runs for which
   * it returns nothing don't count towards the limit.
   * @throws MoverError INVALID_REQUEST for a limit out of range; UNREACHABLE
   */
  async list<T>(
    { clause, limit = LISTED_DEFAULT }: { readonly clause: string | undefined; readonly limit?: number | undefined },
    read: (info: WorkflowExecutionInfo, run: NamedRun) => Promise<T | undefined>,
  ): Promise<T[]> {
    if (!Number.isInteger(limit) || limit < 1 || limit > LISTED_MAX)
      throw new MoverError('INVALID_REQUEST', `limit: a whole number from 1 to ${LISTED_MAX} is expected.`);
    const { client } = await this.#temporal();
    const { type, noun } = this.#kind;
    const query = clause === undefined ? ofType(type) : `${ofType(type)} AND ${clause}`;
    const listed: T[] = [];
    try {
      let page: WorkflowExecutionInfo[] = [];
      for await (const info of client.workflow.list({ query })) {
        page.push(info);
        if (page.length < Math.min(READ_AT_ONCE, limit - listed.length)) continue;
        listed.push(...(await this.#readAll(page, read)));
        page = [];
        if (listed.length >= limit) return listed;
      }
      return [...listed, ...(await this.#readAll(page, read))];
    } catch (error) {
      throw fromTemporal(error, type, noun);
    }
  }

  async #readAll<T>(
    infos: readonly WorkflowExecutionInfo[],
    read: (info: WorkflowExecutionInfo, run: NamedRun) => Promise<T | undefined>,
  ): Promise<T[]> {
    const reads = infos.map(async (info) => {
      const { workflowId, runId } = info;
      return read(info, await this.named({ workflowId, runId, firstRunId: info.raw.firstRunId || runId }));
    });
    return (await Promise.all(reads)).filter((found) => found !== undefined);
  }
}

/** What else our own workflows are, and the command that shows one. */
const KINDS: Readonly<Record<WorkflowKind['type'], readonly [what: string, command: string]>> = {
  moveVolume: ['a move', 'status'],
  moveBatch: ['a batch', 'batch status'],
  verifyVolume: ['a verification', 'verification status'],
};

function whatItIs(type: string, id: string): string {
  const kind = WORKFLOW_TYPES.find((known) => known === type);
  if (kind === undefined) return `it is a workflow of type ${type}.`;
  const [what, command] = KINDS[kind];
  return `it is ${what}. To see it: volume-mover ${command} ${id}`;
}

/** A clause of a visibility query: the type's workflows, without runs that continued as new. */
export function ofType(type: WorkflowKind['type']): string {
  return `WorkflowType = ${literal(type)} AND ExecutionStatus != 'ContinuedAsNew'`;
}

/** A string literal of a visibility query. */
export function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** A clause of a visibility query: runs that ended in one of these ways. */
export function endedAs(...statuses: readonly ExecutionStatus[]): string {
  return `ExecutionStatus IN (${statuses.map(literal).join(', ')})`;
}

type ExecutionStatus = 'Running' | 'Completed' | 'Failed' | 'TimedOut' | 'Canceled' | 'Terminated';
