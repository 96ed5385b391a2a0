// Whether a committed move can still join: its volumes may have been moved on before a point had
// them all.
import { attemptName, type AttemptRecord } from '../../../contracts/attempt.js';
import { MoverError } from '../../../contracts/errors.js';
import type { Ownership } from './membership.js';

/**
 * Refuses a move that can't join any more: no later point of its group will have all its volumes.
 * @param members all volumes of the move's new group now
 * @throws MoverError STALE_ATTEMPT
 */
export function refuseMovedAgain({ attempt, contents }: AttemptRecord, members: readonly Ownership[]): void {
  if (contents === undefined) return;
  for (const { volume, epoch } of contents.volumes) {
    if (members.some((member) => member.volume === volume && member.epoch === epoch + 1)) continue;
    throw new MoverError(
      'STALE_ATTEMPT',
      `Volume "${volume}" was moved again before ${attemptName(attempt)} joined "${contents.to}".`,
    );
  }
}
