// The text beside each activity in the Temporal UI's timeline.
import type { AttemptRef } from '../../contracts/attempt.js';
import type { VolumeId } from '../../contracts/ids.js';
import { MOVE_STEPS } from '../../contracts/move.js';
import type { StepName } from './step-policies.js';

/**
 * The name of one volume, or the first name and a count. Stays below the server's 200 bytes with
 * the longest ids.
 */
export function namesOf(volumes: readonly VolumeId[]): string {
  const [first = '', ...more] = volumes;
  return more.length === 0 ? first : `${first} and ${more.length} more`;
}

/** The summary of a forward step. @example "2/5 flush vm-1-disk-0 (attempt 2)" */
export function forwardSummary(step: StepName, volumes: readonly VolumeId[], { n }: AttemptRef): string {
  return `${titleOf(step)} ${namesOf(volumes)}${n > 1 ? ` (attempt ${n})` : ''}`;
}

/**
 * The summary of a compensation, or of what is left after a commit. @example "undo: ask for the
 * verdict on attempt 1 of vm-1-disk-0", "finish: 5/5 reconfigure vm-1-disk-0"
 */
export function patientSummary(step: StepName, volumes: readonly VolumeId[], attempt: AttemptRef): string {
  switch (step) {
    case 'resolve':
      return `undo: ask for the verdict on attempt ${attempt.n} of ${namesOf(volumes)}`;
    case 'learn':
      return `undo: tell the splitters of ${namesOf(volumes)} the verdict on attempt ${attempt.n}`;
    default:
      return `finish: ${forwardSummary(step, volumes, attempt)}`;
  }
}

function titleOf(step: StepName): string {
  if (step === 'queued') return 'queued: wait for the other move of';
  if (step === 'ready') return 'ready: stand by for the fence of';
  const place = MOVE_STEPS.findIndex((candidate) => candidate === step);
  return place < 0 ? step : `${place + 1}/${MOVE_STEPS.length} ${step}`;
}
