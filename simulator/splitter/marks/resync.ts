// Resyncs a replica by a person's order: compares the whole volume, or sends given ranges whatever
// the replica has.
import { type ErrorCode, MoverError } from '../../../contracts/errors.js';
import type { ResyncInput } from '../../../contracts/repair.js';
import type { SourceState } from '../../../contracts/splitter-api.js';
import { storageFailure } from '../../store/storage-failure.js';
import { nowMs } from '../shared/clock.js';
import { firstRegion, type FreshMarks, lastRegion } from '../core/marks.js';
import type { ProtectedVolume } from '../volume/protected-volume.js';

/**
 * Orders a resync. Its marks are on stable storage when it resolves. A repeated order changes
 * nothing.
 * @throws MoverError VOLUME_BUSY, SOURCE_UNPROVEN, SOURCE_MISSING, FOREIGN_SOURCE, INVALID_REQUEST,
 * STORAGE_FULL, STORAGE_FAILED
 */
export async function resync(volume: ProtectedVolume, input: ResyncInput, marksPath: string): Promise<void> {
  refuseFenced(volume);
  refuseBarred(volume);
  const { split } = volume;
  const reason = orderedBy('a resync was ordered', input);
  const { ranges } = input;
  const regions = ranges === undefined ? undefined : regionsOf(volume, ranges);
  await storeMarksOf(volume, marksPath, () =>
    regions === undefined ? split.doubt(reason, nowMs()) : split.sendAgain(regions, reason, nowMs()),
  );
  split.note(
    'doubt',
    regions === undefined
      ? `Volume "${volume.id}": ${reason}. It is compared with its replica, and what differs is sent again; until then no new recovery point contains it.`
      : `Volume "${volume.id}": ${reason}. ${regions.size} regions of 64 KiB are sent again; until then no new recovery point contains it.`,
  );
}

/**
 * @throws MoverError VOLUME_BUSY while a move holds the volume: its cut must be applied unchanged
 */
export function refuseFenced({ id, split }: ProtectedVolume): void {
  const { fence } = split.row;
  if (fence === undefined) return;
  throw new MoverError(
    'VOLUME_BUSY',
    `Move ${fence.attempt.move} holds volume "${id}" at its fence. Nothing was changed: try again once the move has ended.`,
  );
}

/**
 * Makes a change in memory and stores the marks it calls for.
 * @throws MoverError STORAGE_FULL, STORAGE_FAILED: the change can be repeated
 */
export async function storeMarksOf(
  volume: ProtectedVolume,
  marksPath: string,
  change: () => FreshMarks,
): Promise<void> {
  try {
    volume.store(change());
    await volume.flush();
  } catch (error) {
    throw storageFailure(marksPath, error);
  }
}

/** @example "a resync was ordered by ada: after the controller was replaced" */
export function orderedBy(
  what: string,
  { operator, reason }: { readonly operator?: string | undefined; readonly reason?: string | undefined },
): string {
  const who = operator === undefined ? '' : ` by ${operator}`;
  return reason === undefined ? `${what}${who}` : `${what}${who}: ${reason}`;
}

const REFUSALS = {
  present: 'SOURCE_MISSING',
  unproven: 'SOURCE_UNPROVEN',
  missing: 'SOURCE_MISSING',
  foreign: 'FOREIGN_SOURCE',
  recovering: 'VOLUME_BUSY',
} as const satisfies Record<SourceState, ErrorCode>;

function refuseBarred({ id, split, barred }: ProtectedVolume): void {
  if (barred === undefined) return;
  throw new MoverError(
    REFUSALS[split.sourceState],
    `Volume "${id}" can't be compared or sent: its source may not be used. ${barred}`,
  );
}

function regionsOf(volume: ProtectedVolume, ranges: NonNullable<ResyncInput['ranges']>): ReadonlySet<number> {
  const regions = new Set<number>();
  for (const { offset, length } of ranges) {
    if (offset + length > volume.sizeBytes)
      throw new MoverError(
        'INVALID_REQUEST',
        `${length} bytes at ${offset} are not within the ${volume.sizeBytes} bytes of volume "${volume.id}". Nothing was changed.`,
      );
    for (let region = firstRegion(offset); region <= lastRegion(offset, length); region += 1) regions.add(region);
  }
  return regions;
}
