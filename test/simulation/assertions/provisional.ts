// Members behind a fence are provisional until the verdict: struck when the volume left, kept when
// it stayed.
import { attemptName } from '../../../contracts/attempt.js';
import type { SeenProvisional } from '../witness.js';
import type { World } from '../world.js';

/**
 * Each provisional member that was seen is settled as its attempt's verdict says.
 * @returns how many were struck and how many were kept.
 */
export function checkProvisional(world: World): { readonly struck: number; readonly kept: number } {
  let struck = 0;
  let kept = 0;
  for (const seen of world.witness.provisional) {
    const settled = settledAs(world, seen);
    if (settled === 'struck') struck += 1;
    if (settled === 'kept') kept += 1;
  }
  return { struck, kept };
}

function settledAs(world: World, { point: id, member, attempt }: SeenProvisional): 'struck' | 'kept' | 'gone' {
  const row = world.site.state.points.get(id);
  const verdict = world.recordOf(attempt)?.state;
  if (row === undefined || verdict === undefined || verdict === 'OPEN') return 'gone';
  const { members, leftOut } = row.point;
  const found = members.find((candidate) => candidate.volume === member.volume);
  const why = leftOut.find((candidate) => candidate.volume === member.volume)?.reason;
  const what = `point ${id} had ${member.volume} while ${attemptName(attempt)} fenced it, which was ${verdict}; now it has`;
  if (verdict === 'COMMITTED') {
    if (found !== undefined || why === undefined) throw new Error(`${what} ${JSON.stringify(found)}`);
    return 'struck';
  }
  if (found?.position === member.position && found.epoch === member.epoch) return 'kept';
  // A splitter that restarted behind the fence may have lost what the member names.
  if (found !== undefined || (why !== 'marks-only' && why !== 'lost'))
    throw new Error(`${what} ${JSON.stringify(found)} (${why})`);
  return 'gone';
}
