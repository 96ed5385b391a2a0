// What the splitters' answers to one round of cuts amount to: a cut that is consistent over all of
// them, or nothing.
import type { ClockDoubt } from '../../../contracts/clock.js';
import type { OutputOf } from '../../../contracts/route.js';
import type { LeftOut } from '../../../contracts/point.js';
import type { VolumeId } from '../../../contracts/ids.js';
import { HOLD_MS_MAX, type splitterApi } from '../../../contracts/splitter-api.js';

export type SplitterCut = OutputOf<(typeof splitterApi)['cut']>;

/**
 * One splitter's cut is consistent by itself; several must withhold acknowledgements until all have
 * been taken.
 */
export function holdMsFor(splitters: number): number {
  return splitters > 1 ? HOLD_MS_MAX : 0;
}

export interface GroupCut {
  readonly cuts: SplitterCut['cuts'];
  readonly leftOut: LeftOut[];
  /** When the last of the cuts was taken: nothing in the point is later. */
  readonly atMs: number;
  /** Why that time may be wrong: a splitter's own doubt. */
  readonly doubt?: ClockDoubt;
}

/**
 * The cut of a group from those of its splitters. Members that no splitter here spoke of and that
 * nobody has attached are left out as unreachable; about the others the replica site knows better.
 */
export function groupCut(
  answers: readonly SplitterCut[],
  members: Iterable<VolumeId>,
  isAttached: (volume: VolumeId) => boolean,
  nowMs: number,
): GroupCut {
  const cuts = answers.flatMap((answer) => answer.cuts);
  const leftOut = answers.flatMap((answer) => answer.leftOut);
  const spokenFor = new Set([...cuts, ...leftOut].map((entry) => entry.volume));
  for (const volume of members)
    if (!spokenFor.has(volume) && !isAttached(volume)) leftOut.push({ volume, reason: 'unreachable' });
  const atMs = answers.length === 0 ? nowMs : Math.max(...answers.map((answer) => answer.atMs));
  const doubt = answers.find((answer) => answer.doubt !== undefined)?.doubt;
  return { cuts, leftOut, atMs, ...(doubt === undefined ? {} : { doubt }) };
}
