// Once all is quiet, no move has left anything behind: no room, pin, seal, hold, notice or fence.
import { attemptName } from '../../../contracts/attempt.js';
import { attemptInTheWay, keptIn, reservedIn } from '../../../simulator/replica-site/core/attempts.js';
import type { World } from '../world.js';
import { checkNoWayBack } from './ways-back.js';

/**
 * What may be left is an attempt that was opened by a mover that died before it told a splitter:
 * nobody asks about it until another move needs its volumes. It keeps nothing from anybody.
 */
export function checkResidue(
  world: World,
  { openAttempts }: { readonly openAttempts: 'none' | 'in nobody’s way' },
): void {
  const { state } = world.site;
  const now = world.siteMoment;
  checkNoWayBack(world);
  for (const { group } of world.groups) {
    const reserved = reservedIn(state, group, now.monotonicMs) + keptIn(state, group, now).size;
    if (reserved > 0) throw new Error(`room for ${reserved} volumes is still reserved in ${group}`);
  }
  for (const row of state.points.values()) {
    const { id, bookmark, members } = row.point;
    if (row.pinnedBy !== undefined) throw new Error(`point ${id} is still pinned by ${attemptName(row.pinnedBy)}`);
    if (bookmark?.pending === true) throw new Error(`the bookmark of point ${id} is still pending`);
    const waiting = members.find(({ provisional }) => provisional !== undefined);
    if (waiting !== undefined) throw new Error(`${waiting.volume} is still provisional in point ${id}`);
  }
  for (const { record } of state.attempts.values()) {
    if (record.state !== 'OPEN') continue;
    const name = attemptName(record.attempt);
    if (openAttempts === 'none') throw new Error(`${name} is still open`);
    if (record.left !== undefined) throw new Error(`${name} is still open, and sealed`);
  }
  for (const volume of world.volumes) {
    const row = state.volume(volume);
    if (row.sealed) throw new Error(`${volume} is still sealed`);
    const inTheWay = attemptInTheWay(state, row, now.monotonicMs);
    if (inTheWay !== undefined) throw new Error(`${attemptName(inTheWay)} is still in the way of ${volume}`);
    if (openAttempts === 'none' && row.openAttempt !== undefined)
      throw new Error(`${volume} still has the open attempt ${attemptName(row.openAttempt)}`);
  }
  for (const host of world.splitters.values()) {
    for (const volume of host.disks.keys()) {
      const { fence, notice } = host.core?.volume(volume).row ?? {};
      if (fence !== undefined) throw new Error(`${volume} still has the fence of ${attemptName(fence.attempt)}`);
      if (notice !== undefined) throw new Error(`${volume} still has the notice of ${attemptName(notice.attempt)}`);
      if (host.core?.holds.isHeld(volume) === true) throw new Error(`writes to ${volume} are still held`);
    }
  }
}
