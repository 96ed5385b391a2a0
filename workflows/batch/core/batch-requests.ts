// Requests to a running batch: their schemas, their descriptions, and the reasons to refuse them.
import {
  abortRequestSchema,
  type BATCH_UPDATES,
  concurrencyRequestSchema,
  skipRequestSchema,
} from '../../../contracts/batch.js';
import { requestSchema } from '../../../contracts/request.js';
import { BATCH_SKIPS_MAX } from '../../../contracts/batch-run.js';
import type { VolumeId } from '../../../contracts/ids.js';
import type { BatchCore } from './batch-core.js';

export type UpdateName = keyof typeof BATCH_UPDATES;

export const REQUEST_SCHEMAS = {
  pause: requestSchema,
  resume: requestSchema,
  abort: abortRequestSchema,
  setConcurrency: concurrencyRequestSchema,
  skip: skipRequestSchema,
  retryFailed: requestSchema,
  approve: requestSchema,
} as const satisfies Record<UpdateName, unknown>;

export const UPDATE_DESCRIPTIONS: Readonly<Record<UpdateName, string>> = {
  pause: 'Starts no further moves until resume; running moves go on. Give { operator, reason }.',
  resume: 'Starts moves again after a pause. Give { operator, reason }.',
  abort:
    'Ends the batch: no further move starts. Running moves finish; with "running": "roll-back" those before their commit are rolled back. Give { operator, reason, running }.',
  setConcurrency:
    'Sets how many moves run at the same time, from now on. Give { operator, reason, concurrency: { all, perSourceGroup, … } }.',
  skip: 'Skips the waiting move of a volume; the other disks of that move are skipped too. Give { operator, reason, volume }.',
  retryFailed: 'Queues every failed move again. Give { operator, reason }.',
  approve: 'Starts the other moves after the canary, the first moves of the batch. Give { operator, reason }.',
};

/** The refusal to skip a volume whose move runs. */
export function movingMessage(volume: VolumeId): string {
  return `Volume "${volume}" is being moved now, so it cannot be skipped. To stop its move: volume-mover cancel <move-id>`;
}

/** Why the batch refuses a request now, as a sentence; undefined when it accepts it. */
export function refusalOf(batch: BatchCore, isOver: boolean, name: UpdateName, volume?: VolumeId): string | undefined {
  if (isOver)
    return 'The batch has ended and cannot be changed. To try its failed moves again: volume-mover batch retry-failed <batch-id> --reason <why>';
  const { stop } = batch;
  switch (name) {
    case 'pause':
      if (stop !== undefined) return stopping(batch);
      return batch.isPaused ? 'The batch is paused already.' : undefined;
    case 'resume':
      if (stop !== undefined) return stopping(batch);
      return batch.isPaused ? undefined : 'The batch is not paused, so it cannot be resumed.';
    case 'abort':
      // An abort that lets moves finish may be followed by one that rolls them back.
      return stop?.running === 'roll-back'
        ? 'The batch is stopping already, and its running moves roll back.'
        : undefined;
    case 'setConcurrency':
      return stop === undefined ? undefined : stopping(batch);
    case 'skip':
      if (stop !== undefined) return stopping(batch);
      if (volume !== undefined && batch.inFlight.isMoving(volume)) return movingMessage(volume);
      return batch.skips.hasRoom()
        ? undefined
        : `At most ${BATCH_SKIPS_MAX} volumes of a batch can wait to be skipped, and that many do. Abort the batch, or try again when some have been skipped.`;
    case 'retryFailed':
      if (stop !== undefined) return stopping(batch);
      return batch.counts().failed > 0 ? undefined : 'No move of the batch has failed, so there is nothing to retry.';
    case 'approve':
      return approvalRefusal(batch);
  }
}

function approvalRefusal(batch: BatchCore): string | undefined {
  if (batch.stop !== undefined) return stopping(batch);
  switch (batch.canary) {
    case 'none':
      return 'The batch has no canary, so there is nothing to approve.';
    case 'running':
      return 'The canary, the first moves of the batch, still runs. Approve it when all of these moves have ended.';
    case 'passed':
      return 'The canary was approved already.';
    case 'waiting':
      return undefined;
  }
}

function stopping({ stop }: BatchCore): string {
  return `The batch is stopping and takes no further requests: ${stop?.text ?? ''}`;
}
