// Verifications as Temporal workflows: start, get, list, follow and cancel them.
import {
  CancelledFailure,
  type Client,
  TerminatedFailure,
  type WorkflowExecutionDescription,
  type WorkflowExecutionInfo,
  WorkflowFailedError,
} from '@temporalio/client';
import { randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { MoverError, parseOrRefuse } from '../../contracts/errors.js';
import { moveIdOf } from '../../contracts/move-id.js';
import {
  type VerifyHeartbeat,
  verifyHeartbeatSchema,
  type VerifyInput,
  verifyInputSchema,
  verifyProgressSchema,
  verifyReportSchema,
} from '../../contracts/verify.js';
import { causeOf } from '../../control/cause.js';
import type { TemporalAccess } from '../temporal/connection.js';
import { findApplicationFailure, fromApplicationFailure, fromTemporal } from '../temporal/failure.js';
import { follow } from '../temporal/follow.js';
import { payloadValue } from '../temporal/payload-value.js';
import { isRunning } from '../temporal/workflow-run.js';
import { endedAs, type FoundRun, type NamedRun, WorkflowRuns } from '../temporal/workflow-runs.js';
import type { FollowOptions, ListOptions, StartOptions } from '../workflow-client.js';
import type {
  ListedVerification,
  StartedVerification,
  Verification,
  VerificationClient,
  VerificationState,
} from './verification-client.js';

/** Random bytes at the end of a default workflow id. */
const UNIQUE_BYTES = 4;

/** The first detail of a failed verification's failure, if it reached a verdict. */
const detailSchema = z.object({ progress: verifyProgressSchema });
const memoSchema = z.object({ input: verifyInputSchema });

export class Verifications implements VerificationClient {
  readonly #runs: WorkflowRuns;

  constructor(temporal: () => Promise<TemporalAccess>) {
    this.#runs = new WorkflowRuns(temporal, { type: 'verifyVolume', noun: 'verification' });
  }

  async start(given: VerifyInput, options: StartOptions = {}): Promise<StartedVerification> {
    const input = parseOrRefuse(verifyInputSchema, given, 'verify');
    const name = (await this.#runs.hidesNames()) ? '' : `${input.volume}-`;
    const workflowId = options.workflowId ?? `verify-${name}${randomBytes(UNIQUE_BYTES).toString('hex')}`;
    // Refuses a workflow id too long for an id before a workflow exists.
    moveIdOf(workflowId, randomUUID());
    const run = await this.#runs.start({
      workflowId,
      input: given,
      same: { key: 'input', value: input },
      summary: `Verify ${input.volume}`,
    });
    return startedOf(run);
  }

  async get(id: string): Promise<Verification> {
    return await this.#describe(await this.#runs.find(id));
  }

  async list({ state, limit }: ListOptions<VerificationState> = {}): Promise<ListedVerification[]> {
    const clause = state === undefined ? undefined : CLAUSES[state];
    return await this.#runs.list({ clause, limit }, async (info, run) => {
      const listed = await this.#listed(info, run);
      return state === undefined || listed.state === state ? listed : undefined;
    });
  }

  async *follow(id: string, options: FollowOptions = {}): AsyncGenerator<Verification, void> {
    const first = await this.get(id);
    let { progress } = first;
    const read = async (): Promise<Verification> => {
      const next = await this.get(first.verificationId);
      // Between two tries the activity reports nothing; what was compared stays compared.
      progress = next.progress ?? progress;
      return next.state !== 'running' || progress === undefined ? next : { ...next, progress };
    };
    yield* follow(first, read, options);
  }

  async cancel(id: string): Promise<void> {
    await this.#runs.cancel(id);
  }

  async #describe(found: FoundRun): Promise<Verification> {
    const { workflowId, firstRunId, description } = found;
    const { runId, startTime, closeTime } = description;
    const base = {
      ...startedOf(await this.#runs.named({ workflowId, firstRunId, runId })),
      startedAtMs: startTime.getTime(),
      ...(closeTime === undefined ? {} : { endedAtMs: closeTime.getTime() }),
    };
    if (!isRunning(found)) return { ...base, ...(await this.#end(found)) };
    const progress = await heartbeatOf(await this.#runs.client(), description);
    return { ...base, state: 'running', ...(progress === undefined ? {} : { progress }) };
  }

  async #listed(info: WorkflowExecutionInfo, run: NamedRun): Promise<ListedVerification> {
    const { startTime, closeTime, memo, status } = info;
    const input = memoSchema.safeParse(memo).data?.input;
    // Only the failure tells a difference from a verification that could not finish.
    const { state } =
      status.name === 'RUNNING' ? ({ state: 'running' } as const) : await this.#end({ ...run, description: info });
    return {
      ...startedOf(run),
      state,
      startedAtMs: startTime.getTime(),
      ...(closeTime === undefined ? {} : { endedAtMs: closeTime.getTime() }),
      ...(input === undefined ? {} : { volume: input.volume }),
    };
  }

  async #end(run: Parameters<WorkflowRuns['resultOf']>[0]): Promise<Pick<Verification, 'state' | 'report' | 'error'>> {
    try {
      return { state: 'same', report: parseOrRefuse(verifyReportSchema, await this.#runs.resultOf(run), 'report') };
    } catch (error) {
      if (error instanceof WorkflowFailedError) return endOf(error);
      throw fromTemporal(error, run.workflowId, 'verification');
    }
  }
}

const CLAUSES: Readonly<Record<VerificationState, string>> = {
  running: endedAs('Running'),
  same: endedAs('Completed'),
  different: endedAs('Failed'),
  failed: endedAs('Failed', 'TimedOut'),
  cancelled: endedAs('Canceled'),
  terminated: endedAs('Terminated'),
};

function endOf(error: WorkflowFailedError): Pick<Verification, 'state' | 'report' | 'error'> {
  if (error.cause instanceof CancelledFailure) return { state: 'cancelled' };
  if (error.cause instanceof TerminatedFailure) return { state: 'terminated' };
  const application = findApplicationFailure(error.cause);
  if (application === undefined)
    return { state: 'failed', error: new MoverError('INTERNAL', `The verification failed: ${causeOf(error)}.`) };
  const failure = fromApplicationFailure(application);
  const detail = detailSchema.safeParse(application.details?.[0]);
  const report = detail.success ? detail.data.progress.report : undefined;
  return {
    state: failure.code === 'VERIFY_MISMATCH' ? 'different' : 'failed',
    error: failure,
    ...(report === undefined ? {} : { report }),
  };
}

/** The newest progress; undefined when none is readable: it may be of another version. */
async function heartbeatOf(
  client: Client,
  { raw }: WorkflowExecutionDescription,
): Promise<VerifyHeartbeat | undefined> {
  const payload = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0];
  return verifyHeartbeatSchema.safeParse(await payloadValue(client, payload)).data;
}

function startedOf({ id, ...run }: NamedRun): StartedVerification {
  return { verificationId: id, ...run };
}
