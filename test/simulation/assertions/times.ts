// The times of points, and recovery by a time, against what the guest did when. Only where no clock
// was set: labels are as wrong as the clocks.
import { MoverError } from '../../../contracts/errors.js';
import type { GroupId, VolumeId } from '../../../contracts/ids.js';
import type { RecoveryPoint } from '../../../contracts/point.js';
import { HOLD_MS_MAX } from '../../../contracts/splitter-api.js';
import { findPoint } from '../../../simulator/replica-site/core/points.js';
import type { World } from '../world.js';

/** Times asked about in each run, for each group and each volume. */
const TIMES_PER_OWNER = 12;
/**
 * A point's label is moved behind that of the point before it, if that is later: by a millisecond
 * each, and several points may be closed at one instant.
 */
const LABEL_MOVED_MS_MAX = 5;

/**
 * A point holds no write that was issued after its time, and every write of its members that was
 * acknowledged before its round began.
 * @returns how many points were compared.
 */
export function checkPointTimes(world: World): number {
  let compared = 0;
  for (const { point } of world.site.state.points.values()) {
    const members = point.members.filter(({ provisional }) => provisional === undefined);
    if (members.length === 0) continue;
    compared += 1;
    let newest = 0;
    for (const { volume, position } of members) newest = Math.max(newest, world.site.newestToken(volume, position));
    const write = world.history[newest - 1];
    if (write !== undefined && write.issuedAtMs > point.atMs)
      throw new Error(
        `point ${point.id} (${point.kind}) at ${point.atMs} holds write ${newest}, which was issued at ${write.issuedAtMs}`,
      );
    checkNothingMissing(world, point, newest);
  }
  return compared;
}

function checkNothingMissing(world: World, point: RecoveryPoint, newest: number): void {
  const beganAtMs = world.roundsBegan.get(point.id);
  if (beganAtMs === undefined) return;
  const has = new Set(point.members.map(({ volume }) => volume));
  for (let at = newest; at < world.history.length; at += 1) {
    const write = world.history[at];
    if (write?.acknowledgedAtMs === undefined || write.acknowledgedAtMs >= beganAtMs) return;
    if (has.has(write.volume))
      throw new Error(
        `point ${point.id} (${point.kind}), whose round began at ${beganAtMs}, lacks write ${at + 1} to ${write.volume}, acknowledged at ${write.acknowledgedAtMs}`,
      );
  }
}

/**
 * Recovery by a time finds the newest point not later than it.
 * @returns how often a point was found.
 */
export function checkRecoveryByTime(world: World): number {
  const points = [...world.site.state.points.values()].map(({ point }) => point);
  const first = Math.min(...points.map(({ atMs }) => atMs));
  let found = 0;
  const ask = (of: { readonly group?: GroupId; readonly volume?: VolumeId }): void => {
    const all = points.filter(
      (point) =>
        (of.group === undefined || point.group === of.group) &&
        (of.volume === undefined || point.members.some(({ volume }) => volume === of.volume)),
    );
    const exact = all.length === 0 ? first : world.chance.pick(all).atMs;
    for (let i = 0; i < TIMES_PER_OWNER; i += 1) {
      const atMs = i < 2 ? exact - i : Math.floor(world.chance.between(first - 50, world.time.nowMs));
      if (checkTime(world, all, { ...of, atMs })) found += 1;
    }
  };
  for (const { group } of world.groups) ask({ group });
  for (const volume of world.volumes) ask({ volume });
  return found;
}

function checkTime(
  world: World,
  all: readonly RecoveryPoint[],
  asked: { readonly atMs: number; readonly group?: GroupId; readonly volume?: VolumeId },
): boolean {
  const inTime = all.filter((point) => point.atMs <= asked.atMs);
  const what = `the point of ${asked.group ?? asked.volume} at ${asked.atMs}`;
  let point;
  try {
    point = findPoint(world.site.state, asked);
  } catch (error) {
    if (!(error instanceof MoverError) || error.code !== 'POINT_NOT_FOUND' || inTime.length > 0) throw error;
    world.reaches('recovery by time: before the first point');
    return false;
  }
  // A point has the time of its last member's cut. A volume's points of two groups follow its
  // lineage, and a group's snapshot follows a point whose last cut, of another volume, was later.
  const isByLineage = asked.volume !== undefined || point.kind === 'left';
  const apartMs = isByLineage ? HOLD_MS_MAX : LABEL_MOVED_MS_MAX;
  // "Left" points of moves that overlap follow each other as they were sealed, not as they were
  // cut.
  const compared = point.kind === 'left' ? inTime.filter(({ kind }) => kind !== 'left') : inTime;
  const newest = Math.max(...compared.map(({ atMs }) => atMs));
  const isWrong = !inTime.some(({ id }) => id === point.id) || point.atMs < newest - apartMs;
  if (isWrong) throw new Error(`${what} is ${point.id} of ${point.atMs}, though there is one of ${newest}`);
  world.reaches('recovery by time: found');
  return true;
}
