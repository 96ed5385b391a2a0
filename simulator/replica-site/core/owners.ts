// Which group owned a volume when. The commit of a move writes it, timelines read it. History
// itself belongs to the volume.
import type { MoveId, VolumeId } from '../../../contracts/ids.js';
import type { VolumeRow } from './rows.js';
import type { SiteState } from './state.js';

/** Where one span of ownership ends and the next begins. */
export interface OwnershipCut {
  readonly position: number;
  readonly atMs: number;
  readonly move?: MoveId;
}

/** Makes the row's group the owner from the cut on, and ends the span before. */
export function beginOwnership(state: SiteState, row: VolumeRow, { position, atMs, move }: OwnershipCut): void {
  const { volume, group, epoch } = row;
  const before = state.ownersOf(volume).at(-1);
  if (before !== undefined)
    state.owners.put(ownerKey(before), { owner: { ...before, toPosition: position, toMs: atMs } });
  const owner = { volume, group, epoch, fromPosition: position, fromMs: atMs };
  state.owners.put(ownerKey(owner), { owner: move === undefined ? owner : { ...owner, move } });
}

/**
 * Ends the last span: the volume is retired, and nobody owns it any more. A journal that can't be
 * opened knows no position; then the span ends with the last one that a point names.
 */
export function endOwnership(state: SiteState, volume: VolumeId, { position, atMs }: OwnershipCut): void {
  const last = state.ownersOf(volume).at(-1);
  if (last === undefined || last.toPosition !== undefined) return;
  const toPosition = Math.max(position, last.fromPosition, state.namedPosition(volume));
  state.owners.put(ownerKey(last), { owner: { ...last, toPosition, toMs: Math.max(atMs, last.fromMs) } });
}

/** Deletes all spans of a volume that is forgotten. */
export function deleteOwnership(state: SiteState, volume: VolumeId): void {
  for (const owner of state.ownersOf(volume)) state.owners.delete(ownerKey(owner));
}

/** Moves the bounds of spans from lost positions to the last sound ones before them. */
export function cutOwnership(state: SiteState, volume: VolumeId): void {
  const sound = (position: number): number => state.lineages.soundPosition(volume, position);
  for (const owner of state.ownersOf(volume)) {
    const fromPosition = sound(owner.fromPosition);
    const toPosition = owner.toPosition === undefined ? undefined : sound(owner.toPosition);
    if (fromPosition === owner.fromPosition && toPosition === owner.toPosition) continue;
    const cut = { ...owner, fromPosition };
    state.owners.put(ownerKey(owner), { owner: toPosition === undefined ? cut : { ...cut, toPosition } });
  }
}

export function ownerKey({ volume, epoch }: Pick<VolumeRow, 'volume' | 'epoch'>): string {
  return `${volume}:${epoch}`;
}
