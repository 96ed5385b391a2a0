// Combines the splitters' answers to one round of cuts into one cut of the group.
import type { ClockDoubt } from '../../../contracts/clock.js';
import type { OutputOf } from '../../../contracts/route.js';
import type { LeftOut } from '../../../contracts/point.js';
import type { VolumeId } from '../../../contracts/ids.js';
import { HOLD_MS_MAX, type splitterApi } from '../../../contracts/splitter-api.js';

export type SplitterCut = OutputOf<(typeof splitterApi)['cut']>;

/**
 * How long each splitter must withhold acknowledgements, ms. The cut of a single splitter is
 * consistent by itself; several must hold until all cuts are taken.
 */
export function holdMsFor(splitters: number): number {
  return splitters > 1 ? HOLD_MS_MAX : 0;
}

export interface GroupCut {
  readonly cuts: SplitterCut['cuts'];
  readonly leftOut: LeftOut[];
  /** When the last cut was taken: nothing in the point is later. */
  readonly atMs: number;
  /** A splitter's doubt about its clock: `atMs` may then be wrong. */
  readonly doubt?: ClockDoubt;
}

/**
 * The cut of a group from the cuts of its splitters. Members that no answer names and no splitter
 * has attached are left out as unreachable; the replica site judges the other unnamed members.
 */
export function groupCut(
  answers: readonly SplitterCut[],
  members: Iterable<VolumeId>,
  isAttached: (volume: VolumeId) => boolean,
  nowMs: number,
): GroupCut {
  const cuts = answers.flatMap((answer) => answer.cuts);
  const leftOut = answers.flatMap((answer) => answer.leftOut);
  const named = new Set([...cuts, ...leftOut].map((entry) => entry.volume));
  for (const volume of members)
    if (!named.has(volume) && !isAttached(volume)) leftOut.push({ volume, reason: 'unreachable' });
  const atMs = answers.length === 0 ? nowMs : Math.max(...answers.map((answer) => answer.atMs));
  const doubt = answers.find((answer) => answer.doubt !== undefined)?.doubt;
  return { cuts, leftOut, atMs, ...(doubt === undefined ? {} : { doubt }) };
}
