// Requests to a running batch: their schemas, their descriptions, and the reasons to refuse them.
import {
  abortRequestSchema,
  type BATCH_UPDATES,
  concurrencyRequestSchema,
  requestSchema,
  skipRequestSchema,
} from '../../../contracts/batch.js';
import type { VolumeId } from '../../../contracts/ids.js';
import type { BatchCore } from './batch-core.js';

export type UpdateName = keyof typeof BATCH_UPDATES;

export const REQUEST_SCHEMAS = {
  pause: requestSchema,
  resume: requestSchema,
  abort: abortRequestSchema,
  setConcurrency: concurrencyRequestSchema,
  skipVolume: skipRequestSchema,
  retryFailed: requestSchema,
  approveCanary: requestSchema,
} as const satisfies Record<UpdateName, unknown>;

export const UPDATE_DESCRIPTIONS: Readonly<Record<UpdateName, string>> = {
  pause: 'No further moves start until resume; running ones go on. Give { operator, reason }.',
  resume: 'Go on after a pause. Give { operator, reason }.',
  abort:
    'End the batch: nothing starts any more, and running moves finish, or with "running": "roll-back" are put back if they are before their commit. Give { operator, reason, running }.',
  setConcurrency:
    'New limits for moves at once, from now on. Give { operator, reason, concurrency: { all, perSourceGroup, … } }.',
  skipVolume:
    'Leave the move of a volume out when its turn comes; its VM’s other disks with it. Give { operator, reason, volume }.',
  retryFailed: 'Give every move that has failed so far another turn. Give { operator, reason }.',
  approveCanary: 'Let the batch go on after its first moves. Give { operator, reason }.',
};

/** Why the batch must refuse the request now, as a sentence; undefined when it need not. */
export function objection(batch: BatchCore, isOver: boolean, name: UpdateName, volume?: VolumeId): string | undefined {
  if (isOver) return 'The batch is over; nothing about it can be changed any more.';
  const { stop } = batch;
  switch (name) {
    case 'pause':
      if (stop !== undefined) return stopping(batch);
      return batch.isPaused ? 'The batch is paused already.' : undefined;
    case 'resume':
      if (stop !== undefined) return stopping(batch);
      return batch.isPaused ? undefined : 'The batch is not paused; there is nothing to resume.';
    case 'abort':
      // An abort that lets moves finish may be followed by one that rolls them back.
      return stop?.running === 'roll-back'
        ? 'The batch is stopping already, and its running moves roll back.'
        : undefined;
    case 'setConcurrency':
      return stop === undefined ? undefined : stopping(batch);
    case 'skipVolume':
      if (stop !== undefined) return stopping(batch);
      if (volume !== undefined && batch.inFlight.isMoving(volume))
        return `Volume "${volume}" is being moved now: cancel its move instead.`;
      return batch.skips.hasRoom()
        ? undefined
        : 'So many volumes are to be skipped already that no more can be kept in mind.';
    case 'retryFailed':
      if (stop !== undefined) return stopping(batch);
      return batch.counts().failed > 0 ? undefined : 'No move of the batch has failed; there is nothing to try again.';
    case 'approveCanary':
      return approvalObjection(batch);
  }
}

function approvalObjection(batch: BatchCore): string | undefined {
  if (batch.stop !== undefined) return stopping(batch);
  switch (batch.canary) {
    case 'none':
      return 'The batch has no canary; there is nothing to approve.';
    case 'running':
      return 'The first moves still run; they can be approved once all of them have ended.';
    case 'passed':
      return 'The first moves were approved already.';
    case 'waiting':
      return undefined;
  }
}

function stopping({ stop }: BatchCore): string {
  return `The batch is stopping: ${stop?.text ?? ''}`;
}
