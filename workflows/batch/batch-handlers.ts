// The query and the updates of a batch, as Temporal handlers.
import { defineQuery, defineUpdate, setHandler } from '@temporalio/workflow';
import type { ApplicationFailure } from '@temporalio/common';
import {
  abortRequestSchema,
  BATCH_UPDATES,
  BATCH_UPDATES_BEFORE,
  type BatchItem,
  type BatchProgress,
  concurrencyRequestSchema,
  skipRequestSchema,
} from '../../contracts/batch.js';
import { furtherRequestSchema, requestSchema } from '../../contracts/request.js';
import { type VolumeId, volumeIdSchema } from '../../contracts/ids.js';
import { checkRequest, refusal } from '../shared/requests.js';
import { messageOf } from '../shared/step-failure.js';
import { namesOf } from '../shared/step-summaries.js';
import type { BatchCore } from './core/batch-core.js';
import { answers } from './batch-activities.js';
import {
  movingMessage,
  refusalOf,
  REQUEST_SCHEMAS,
  UPDATE_DESCRIPTIONS,
  type UpdateName,
} from './core/batch-requests.js';

/** The answer of an update: a sentence. */
export interface Answer {
  readonly message: string;
}

export const batchProgressQuery = defineQuery<BatchProgress>('progress');
const PROGRESS_DESCRIPTION =
  'State of the batch: its stage, counts, rate and expected end, the longest-running moves, and the failed ones with their reasons.';

export interface HandlerContext {
  readonly batch: BatchCore;
  /** Whether the batch is over, so that nothing can be changed. */
  readonly isOver: () => boolean;
  readonly progress: () => BatchProgress;
  /** Called after each change. */
  readonly wake: () => void;
  /** Called by an abort before the batch has a plan. */
  readonly stopPlanning: () => void;
}

/** Registers the query and the updates. Call it before the first await. */
export function handleRequests(context: HandlerContext): void {
  const { batch, wake, stopPlanning } = context;
  setHandler(batchProgressQuery, context.progress, { description: PROGRESS_DESCRIPTION });

  handle(context, 'pause', (request) => {
    const { operator, reason } = requestSchema.parse(request);
    batch.pause(`${operator}: ${reason}`);
    const { running, waiting } = batch.counts();
    return `Paused: no further move starts. Running moves (${running}) finish, the others (${waiting}) wait. To go on: resume.`;
  });
  handle(context, 'resume', () => {
    batch.resume();
    return `Resumed. Moves waiting to start: ${batch.counts().waiting}.`;
  });
  handle(context, 'abort', (request) => {
    const { operator, reason, running } = abortRequestSchema.parse(request);
    batch.end({ why: 'aborted', running, text: `${operator} aborted the batch: ${reason}.` });
    stopPlanning();
    return `Aborting: no further move starts. Running moves (${batch.counts().running}) ${running === 'finish' ? 'finish' : 'roll back unless they are committed'}.`;
  });
  handle(context, 'setConcurrency', (request) => {
    const { concurrency } = concurrencyRequestSchema.parse(request);
    batch.limit(concurrency);
    return `From now on at most ${concurrency.all} moves run at the same time.`;
  });
  handle(context, 'skip', async (request) => {
    const { volume } = skipRequestSchema.parse(request);
    if (batch.plan === undefined) {
      batch.skips.add(volume);
      return `The batch will skip the move of volume "${volume}", if its plan has one.`;
    }
    const { seq, volumes } = await findPlannedMove(batch, volume);
    // The move may have started while the plan was searched.
    if (batch.inFlight.isMoving(volume)) throw refused(movingMessage(volume));
    if (batch.isOver(seq)) throw refused(`The move of volume "${volume}" has ended already, so it cannot be skipped.`);
    batch.skips.add(volume);
    return `The batch will skip the move of ${namesOf(volumes)}.`;
  });
  handle(context, 'retryFailed', () => `Failed moves queued again: ${batch.retryFailed()}.`);
  handle(context, 'approve', () => {
    batch.approve();
    return `Approved. Moves waiting to start: ${batch.counts().waiting}.`;
  });

  function handle(
    { isOver }: HandlerContext,
    name: UpdateName,
    carryOut: (request: unknown) => string | Promise<string>,
  ): void {
    const obey = async (request: unknown): Promise<Answer> => {
      const { operator, reason } = requestOf(request);
      batch.requested(`${name} by ${operator}: ${reason}`);
      const message = await carryOut(request);
      wake();
      return { message };
    };
    const validator = (...args: unknown[]): void => {
      checkRequest(REQUEST_SCHEMAS[name], name, args);
      const [request] = args;
      const reason = refusalOf(batch, isOver(), name, volumeOf(request));
      if (reason !== undefined) throw refused(reason);
    };
    const register = (update: string, description: string): void =>
      setHandler(defineUpdate<Answer, [unknown]>(update), obey, { description, validator });
    register(BATCH_UPDATES[name], UPDATE_DESCRIPTIONS[name]);
    for (const [earlier, now] of Object.entries(BATCH_UPDATES_BEFORE))
      if (now === name) register(earlier, `The earlier name of ${name}.`);
  }
}

/**
 * Finds a volume's planned move. @throws ApplicationFailure when the plan has no move of the
 * volume, or can't be read now
 */
async function findPlannedMove(batch: BatchCore, volume: VolumeId): Promise<BatchItem> {
  try {
    return await answers.findInPlan({ batch: batch.id, volume });
  } catch (error) {
    throw refused(messageOf(error));
  }
}

function requestOf(request: unknown): { readonly operator: string; readonly reason: string } {
  const { operator, reason } = furtherRequestSchema.parse(request);
  return { operator, reason };
}

function volumeOf(request: unknown): VolumeId | undefined {
  const volume: unknown =
    typeof request === 'object' && request !== null && 'volume' in request ? request.volume : undefined;
  return volumeIdSchema.safeParse(volume).data;
}

function refused(message: string): ApplicationFailure {
  return refusal(message, 'BATCH_REQUEST_REFUSED');
}
