// Verifications as Temporal workflows: start, look at, watch, cancel.
import {
  type ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  type WorkflowExecutionDescription,
  WorkflowFailedError,
} from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { MoverError, parseOrRefuse } from '../../contracts/errors.js';
import {
  type VerifyHeartbeat,
  verifyHeartbeatSchema,
  type VerifyInput,
  verifyInputSchema,
  verifyProgressSchema,
  type VerifyReport,
  verifyReportSchema,
} from '../../contracts/verify.js';
import { causeOf } from '../../control/cause.js';
import { findApplicationFailure, fromApplicationFailure, fromTemporal } from '../temporal/failure.js';
import { startOnce, type StartedRun } from '../temporal/start-once.js';
import { workflowUrl, type TemporalAccess } from '../temporal/connection.js';

const WORKFLOW_TYPE = 'verifyVolume';
/** Bytes of randomness at the end of a default workflow id. */
const UNIQUE_BYTES = 4;
/** Between looks at a running verification, ms: a small volume takes about as long. */
const WATCH_INTERVAL_MS = 200;

export interface StartedVerify {
  readonly workflowId: string;
  readonly runId: string;
  /** In the Temporal UI; undefined when nobody said where the UI is. */
  readonly url: string | undefined;
}

/** `same` and `different` are verdicts; the others say nothing about the replica. */
export type VerifyState = 'running' | 'same' | 'different' | 'failed' | 'cancelled' | 'terminated';

export interface Verification extends StartedVerify {
  readonly state: VerifyState;
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
  /** Of a running one, as far as its last sign of life says. */
  readonly progress?: VerifyHeartbeat;
  /** Of a verdict. */
  readonly report?: VerifyReport;
  /** Of `different` and `failed`. */
  readonly error?: MoverError;
}

export interface StartVerifyOptions {
  /**
   * Default: a readable one that is not used yet. With one of your own, starting again after a lost
   * answer is safe.
   */
  readonly workflowId?: string | undefined;
}

/** What a verification with a verdict leaves in its failure's first detail. */
const detailSchema = z.object({ progress: verifyProgressSchema });

export class Verifications {
  readonly #temporal: () => Promise<TemporalAccess>;

  constructor(temporal: () => Promise<TemporalAccess>) {
    this.#temporal = temporal;
  }

  /** @throws MoverError INVALID_REQUEST, ATTEMPT_MISMATCH, UNREACHABLE */
  async start(given: VerifyInput, options: StartVerifyOptions = {}): Promise<StartedVerify> {
    const input = parseOrRefuse(verifyInputSchema, given, 'verify');
    const access = await this.#temporal();
    const workflowId = options.workflowId ?? `verify-${input.volume}-${randomBytes(UNIQUE_BYTES).toString('hex')}`;
    const run = await startOnce(access.client, {
      type: WORKFLOW_TYPE,
      noun: 'verification',
      workflowId,
      input: given,
      same: { key: 'input', value: input },
      summary: `Verify ${input.volume}`,
    });
    return started(access, run);
  }

  /** @throws MoverError MOVE_NOT_FOUND, UNREACHABLE */
  async get(workflowId: string): Promise<Verification> {
    const access = await this.#temporal();
    const description = await this.#describe(workflowId);
    const { runId, status, startTime, closeTime } = description;
    const base = {
      ...started(access, { workflowId, runId }),
      startedAtMs: startTime.getTime(),
      ...(closeTime === undefined ? {} : { endedAtMs: closeTime.getTime() }),
    };
    if (status.name !== 'RUNNING') return { ...base, ...(await this.#end(workflowId, runId)) };
    const progress = heartbeatOf(description);
    return { ...base, state: 'running', ...(progress === undefined ? {} : { progress }) };
  }

  /** How far it is, at each change, until it has ended. @throws as `get`; the signal's reason */
  async *watch(
    workflowId: string,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<VerifyHeartbeat, void> {
    let seen: VerifyHeartbeat | undefined;
    for (;;) {
      signal?.throwIfAborted();
      const description = await this.#describe(workflowId);
      if (description.status.name !== 'RUNNING') return;
      const progress = heartbeatOf(description);
      if (progress !== undefined && !isDeepStrictEqual(progress, seen)) yield progress;
      seen = progress ?? seen;
      await delay(WATCH_INTERVAL_MS, undefined, signal === undefined ? {} : { signal });
    }
  }

  /** One that has ended stays as it is. @throws MoverError MOVE_NOT_FOUND, UNREACHABLE */
  async cancel(workflowId: string): Promise<void> {
    const { client } = await this.#temporal();
    const { status, runId } = await this.#describe(workflowId);
    if (status.name !== 'RUNNING') return;
    try {
      await client.workflow.getHandle(workflowId, runId).cancel();
    } catch (error) {
      throw fromTemporal(error, workflowId, 'verification');
    }
  }

  async #describe(workflowId: string): Promise<WorkflowExecutionDescription> {
    const { client } = await this.#temporal();
    try {
      const description = await client.workflow.getHandle(workflowId).describe();
      if (description.type === WORKFLOW_TYPE) return description;
    } catch (error) {
      throw fromTemporal(error, workflowId, 'verification');
    }
    throw new MoverError('MOVE_NOT_FOUND', `Temporal has no verification "${workflowId}".`);
  }

  async #end(workflowId: string, runId: string): Promise<Pick<Verification, 'state' | 'report' | 'error'>> {
    const { client } = await this.#temporal();
    try {
      const result: unknown = await client.workflow.getHandle(workflowId, runId).result();
      return { state: 'same', report: parseOrRefuse(verifyReportSchema, result, 'report') };
    } catch (error) {
      if (error instanceof WorkflowFailedError) return endOf(error);
      if (error instanceof MoverError) throw error;
      throw fromTemporal(error, workflowId, 'verification');
    }
  }
}

function endOf(error: WorkflowFailedError): Pick<Verification, 'state' | 'report' | 'error'> {
  if (error.cause instanceof CancelledFailure) return { state: 'cancelled' };
  if (error.cause instanceof TerminatedFailure) return { state: 'terminated' };
  const application: ApplicationFailure | undefined = findApplicationFailure(error.cause);
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

function heartbeatOf({ raw }: WorkflowExecutionDescription): VerifyHeartbeat | undefined {
  const payload = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0];
  if (payload === undefined) return undefined;
  try {
    return verifyHeartbeatSchema.parse(defaultPayloadConverter.fromPayload(payload));
  } catch {
    // Encrypted, or of another version: there is no progress to tell.
    return undefined;
  }
}

function started(
  access: TemporalAccess,
  { workflowId, runId }: Pick<StartedRun, 'workflowId' | 'runId'>,
): StartedVerify {
  return { workflowId, runId, url: workflowUrl(access, workflowId, runId) };
}
