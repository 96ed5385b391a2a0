// The query and the updates of a batch, as Temporal handlers.
import { defineQuery, defineUpdate, setHandler } from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';
import {
  abortRequestSchema,
  BATCH_UPDATES,
  type BatchItem,
  type BatchProgress,
  concurrencyRequestSchema,
  requestSchema,
  skipRequestSchema,
} from '../../contracts/batch.js';
import { MoverError, parseOrRefuse, toProblem } from '../../contracts/errors.js';
import { type VolumeId, volumeIdSchema } from '../../contracts/ids.js';
import { messageOf } from '../shared/step-failure.js';
import { namesOf } from '../shared/step-summaries.js';
import type { BatchCore } from './core/batch-core.js';
import { answers } from './batch-activities.js';
import { objection, REQUEST_SCHEMAS, UPDATE_DESCRIPTIONS, type UpdateName } from './core/batch-requests.js';

/** The answer of an update: a sentence. */
export interface Answer {
  readonly message: string;
}

export const batchProgressQuery = defineQuery<BatchProgress>('progress');
const PROGRESS_DESCRIPTION =
  'Where the batch is: its stage, counts by state, rate, expected end, the moves that run longest, and the failed ones with their reasons.';

export interface Handled {
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
export function handleRequests(handled: Handled): void {
  const { batch, wake, stopPlanning } = handled;
  setHandler(batchProgressQuery, handled.progress, { description: PROGRESS_DESCRIPTION });

  handle(handled, 'pause', (request) => {
    const { operator, reason } = requestSchema.parse(request);
    batch.pause(`${operator}: ${reason}`);
    const { running, waiting } = batch.counts();
    return `Paused: ${running} moves run and finish, ${waiting} wait.`;
  });
  handle(handled, 'resume', () => {
    batch.resume();
    return `Resumed: ${batch.counts().waiting} moves wait for their turn.`;
  });
  handle(handled, 'abort', (request) => {
    const { operator, reason, running } = abortRequestSchema.parse(request);
    batch.end({ why: 'aborted', running, text: `${operator} aborted the batch: ${reason}.` });
    stopPlanning();
    return `Aborting: ${batch.counts().running} running moves ${running === 'finish' ? 'finish' : 'roll back unless they are committed'}.`;
  });
  handle(handled, 'setConcurrency', (request) => {
    const { concurrency } = concurrencyRequestSchema.parse(request);
    batch.limit(concurrency);
    return `From now on at most ${concurrency.all} moves run at once.`;
  });
  handle(handled, 'skipVolume', async (request) => {
    const { volume } = skipRequestSchema.parse(request);
    if (batch.plan === undefined) {
      batch.skips.add(volume);
      return `The move of volume "${volume}" will be left out, if the batch has one.`;
    }
    const { seq, volumes } = await planned(batch, volume);
    // The move may have started while the plan was searched.
    if (batch.inFlight.isMoving(volume))
      throw refusal(`Volume "${volume}" is being moved now: cancel its move instead.`);
    if (batch.isOver(seq)) throw refusal(`The move of volume "${volume}" is over; there is nothing to skip.`);
    batch.skips.add(volume);
    return `The move of ${namesOf(volumes)} will be left out.`;
  });
  handle(handled, 'retryFailed', () => `${batch.retryFailed()} failed moves get another turn.`);
  handle(handled, 'approveCanary', () => {
    batch.approve();
    return `Approved: ${batch.counts().waiting} moves wait for their turn.`;
  });

  function handle({ isOver }: Handled, name: UpdateName, grant: (request: unknown) => string | Promise<string>): void {
    const update = defineUpdate<Answer, [unknown]>(BATCH_UPDATES[name]);
    setHandler(
      update,
      async (request): Promise<Answer> => {
        const { operator, reason } = requestOf(request);
        batch.requested(`${name} by ${operator}: ${reason}`);
        const message = await grant(request);
        wake();
        return { message };
      },
      {
        description: UPDATE_DESCRIPTIONS[name],
        validator: (...args: unknown[]) => {
          if (args.length !== 1)
            throw refusal(`Give one object to ${name}: { operator, reason, … }.`, 'INVALID_REQUEST');
          const [request] = args;
          validate(name, request);
          const objected = objection(batch, isOver(), name, volumeOf(request));
          if (objected !== undefined) throw refusal(objected);
        },
      },
    );
  }
}

/**
 * Finds a volume's planned move. @throws ApplicationFailure when the plan has no move of the
 * volume, or can't be read now
 */
async function planned(batch: BatchCore, volume: VolumeId): Promise<BatchItem> {
  try {
    return await answers.findInPlan({ batch: batch.id, volume });
  } catch (error) {
    throw refusal(messageOf(error));
  }
}

function requestOf(request: unknown): { readonly operator: string; readonly reason: string } {
  const { operator, reason } = requestSchema.loose().parse(request);
  return { operator, reason };
}

/** Checks a request's form. @throws ApplicationFailure INVALID_REQUEST */
function validate(name: UpdateName, request: unknown): void {
  try {
    parseOrRefuse(REQUEST_SCHEMAS[name], request, name);
  } catch (error) {
    throw error instanceof MoverError ? refusal(error.message, 'INVALID_REQUEST') : error;
  }
}

function volumeOf(request: unknown): VolumeId | undefined {
  const volume: unknown =
    typeof request === 'object' && request !== null && 'volume' in request ? request.volume : undefined;
  return volumeIdSchema.safeParse(volume).data;
}

function refusal(
  message: string,
  code: 'BATCH_REQUEST_REFUSED' | 'INVALID_REQUEST' = 'BATCH_REQUEST_REFUSED',
): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, code, toProblem(new MoverError(code, message)));
}
