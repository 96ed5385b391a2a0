// Who owned a volume when: written by the commit of a move, read by timelines. History itself
// belongs to the volume.
import type { MoveId, VolumeId } from '../../../contracts/ids.js';
import type { VolumeRow } from './rows.js';
import type { SiteState } from './state.js';

/** Where a span begins, and the one before it ends. */
export interface OwnershipCut {
  readonly position: number;
  readonly atMs: number;
  readonly move?: MoveId;
}

/** The row's group owns the volume from the cut on; whoever did before, does no more. */
export function beginOwnership(state: SiteState, row: VolumeRow, { position, atMs, move }: OwnershipCut): void {
  const { volume, group, epoch } = row;
  const before = state.ownersOf(volume).at(-1);
  if (before !== undefined)
    state.owners.put(ownerKey(before), { owner: { ...before, toPosition: position, toMs: atMs } });
  const owner = { volume, group, epoch, fromPosition: position, fromMs: atMs };
  state.owners.put(ownerKey(owner), { owner: move === undefined ? owner : { ...owner, move } });
}

/** Spans begin and end at records that are there: those that they named are lost. */
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

function ownerKey({ volume, epoch }: Pick<VolumeRow, 'volume' | 'epoch'>): string {
  return `${volume}:${epoch}`;
}
