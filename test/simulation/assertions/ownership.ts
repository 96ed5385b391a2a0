// Who owned a volume when: the timeline of owners is the history of the commits that were seen, and
// points and records lie inside the spans of their owners.
import type { GroupId, VolumeId } from '../../../contracts/ids.js';
import type { Ownership } from '../../../contracts/point.js';
import type { World } from '../world.js';

/**
 * The spans of each volume are those of the commits, in their order: group, epoch, move, and the
 * position of the cut. Only where the site's folder was not put back. The oldest may be missing,
 * once nothing of their time can be opened.
 */
export function checkHistory(world: World, firstGroup: GroupId): void {
  if (world.hasSiteForgotten) return;
  for (const volume of world.volumes) {
    const first = { group: firstGroup, epoch: 1, from: 0, move: undefined };
    const all = [first, ...world.witness.historyOf(volume)];
    const found = world.site.state
      .ownersOf(volume)
      .map(({ group, epoch, fromPosition, move }) => ({ group, epoch, from: fromPosition, move }));
    const forgotten = Math.max(0, all.length - Math.max(1, found.length));
    checkForgotten(world, volume, forgotten === 0 ? 0 : (all[forgotten]?.from ?? 0));
    const expected = all.slice(forgotten);
    if (JSON.stringify(found) !== JSON.stringify(expected))
      throw new Error(
        `${volume} was owned by ${JSON.stringify(expected)}, and its timeline says ${JSON.stringify(found)}`,
      );
  }
}

/** Nothing before a position can be opened. */
function checkForgotten(world: World, volume: VolumeId, before: number): void {
  for (let position = 0; position < before; position += 1)
    if (world.site.isOpenable(volume, position))
      throw new Error(`position ${position} of ${volume} can be opened, and its owner is forgotten`);
}

/**
 * A group's point has a volume only at positions that the group owned, and under the epoch of that
 * span.
 * @returns how many members were compared.
 */
export function checkMembers(world: World): number {
  let compared = 0;
  const { state } = world.site;
  for (const { point } of state.points.values()) {
    for (const { volume, position, epoch, provisional } of point.members) {
      if (provisional !== undefined) continue;
      compared += 1;
      const span = state.ownersOf(volume).find((owner) => owner.epoch === epoch);
      if (span?.group !== point.group || !isWithin(span, position))
        throw new Error(
          `point ${point.id} of ${point.group} has ${volume} at position ${position} of epoch ${epoch}, whose owner was ${JSON.stringify(span)}`,
        );
    }
  }
  return compared;
}

/** Where a span ends the next group may have the volume too, before it has written anything. */
function isWithin({ fromPosition, toPosition = Number.MAX_SAFE_INTEGER }: Ownership, position: number): boolean {
  return position >= fromPosition && position <= toPosition;
}

/** Each record was accepted under the epoch that owned its place in the lineage. */
export function checkRecords(world: World): void {
  if (world.hasSiteForgotten) return;
  for (const volume of world.volumes) checkRecordsOf(world, volume);
}

function checkRecordsOf(world: World, volume: VolumeId): void {
  const spans = world.site.state.ownersOf(volume);
  for (const [at, { epoch }] of world.site.recordsOf(volume).entries()) {
    const position = at + 1;
    // The owners before the first known one are forgotten: nothing of their time can be opened.
    if (position <= (spans[0]?.fromPosition ?? 0)) continue;
    const span = spans.find(
      ({ fromPosition, toPosition = Number.MAX_SAFE_INTEGER }) => position > fromPosition && position <= toPosition,
    );
    if (span?.epoch !== epoch)
      throw new Error(
        `position ${position} of ${volume} was sent at epoch ${epoch}, and belongs to ${JSON.stringify(span)}`,
      );
  }
}
