// Checks the product's promises against everything the simulation knows.
import { attemptName } from '../../contracts/attempt.js';
import type { VolumeId } from '../../contracts/ids.js';
import type { Hole } from '../../contracts/point.js';
import { HOLD_MS_MAX } from '../../contracts/splitter-api.js';
import { pointsOf, positionIn } from '../../simulator/replica-site/core/points.js';
import { BLOCKS, type World } from './world.js';

/**
 * Holds at any instant: where the source differs from what is durable at the replica site, the
 * splitter has a mark.
 */
export function checkMarks(world: World): void {
  for (const volume of world.volumes) {
    const host = world.hostOf(volume);
    // Nobody knows what a folder put back lacks before the two ends have met again.
    const areFoldersOld = world.sitesPutBack + world.splittersPutBack + world.splittersLost > 0;
    if (areFoldersOld && host.core?.volume(volume).connected !== true) continue;
    const source = host.disks.get(volume);
    const durable = world.site.contentAt(volume, world.site.durable(volume).position, BLOCKS);
    for (let block = 0; block < BLOCKS; block += 1) {
      if (source?.[block] !== durable[block] && !host.isMarked(volume, block)) {
        throw new Error(
          `block ${block} of ${volume}: source has ${source?.[block]}, the replica site ${durable[block]}, and there is no mark`,
        );
      }
    }
  }
}

/** Each point's members together hold a prefix of the guest's writes. */
export function checkPoints(world: World): { readonly checked: number; readonly full: number } {
  let checked = 0;
  let full = 0;
  const { state } = world.site;
  for (const row of state.points.values()) {
    const contents = new Map<VolumeId, Readonly<Uint32Array>>();
    let newest = 0;
    for (const member of row.point.members) {
      if (member.provisional !== undefined || member.position > world.site.durable(member.volume).position) continue;
      const position = positionIn(state, row, member.volume);
      contents.set(member.volume, world.site.contentAt(member.volume, position, BLOCKS));
      newest = Math.max(newest, world.site.newestToken(member.volume, position));
    }
    if (contents.size === 0) continue;
    checked += 1;
    if (contents.size > 1) full += 1;
    for (const [volume, content] of contents) {
      const expected = world.stateAfter(newest, volume);
      for (let block = 0; block < BLOCKS; block += 1) {
        if (content[block] !== expected[block]) {
          throw new Error(
            `point ${row.point.id} of ${row.point.group} (${row.point.kind}): block ${block} of ${volume} holds ${content[block]} instead of ${expected[block]} though it contains write ${newest}`,
          );
        }
      }
    }
  }
  return { checked, full };
}

/**
 * Each volume alone: at every position of its lineage outside holes it is a state that the guest's
 * disk really had, whoever owned it. So it is at a hole's end.
 * @returns how many positions were compared.
 */
export function checkLineages(world: World): number {
  let checked = 0;
  for (const volume of world.volumes) {
    const { position: end } = world.site.durable(volume);
    let newest = 0;
    let expected = world.stateAfter(0, volume);
    for (let position = 0; position <= end; position += 1) {
      if (world.site.state.inHole(volume, position) || isInForgottenHole(world, volume, position)) continue;
      const content = world.site.contentAt(volume, position, BLOCKS);
      const token = world.site.newestToken(volume, position);
      if (token !== newest) expected = world.stateAfter(token, volume);
      newest = token;
      checked += 1;
      for (let block = 0; block < BLOCKS; block += 1) {
        if (content[block] !== expected[block])
          throw new Error(
            `position ${position} of ${volume}: block ${block} holds ${content[block]} instead of ${expected[block]} though it contains write ${newest}`,
          );
      }
    }
  }
  return checked;
}

/**
 * Whether the position lies in a hole that the site has forgotten, because nobody can open it any
 * more.
 */
function isInForgottenHole({ site, retention }: World, volume: VolumeId, position: number): boolean {
  const isInside = ({ fromPosition, toPosition = 0 }: Hole): boolean =>
    position >= fromPosition && position < toPosition;
  const isForgotten = retention?.forgottenHoles.some((hole) => hole.volume === volume && isInside(hole)) === true;
  return isForgotten && !site.isOpenable(volume, position);
}

/**
 * Each hole's times: no point cut inside it contains the volume. A point's time is that of its last
 * cut, so a member's own may be earlier by a hold.
 * @returns how many holes there were.
 */
export function checkHoles(world: World): number {
  let holes = 0;
  const { state } = world.site;
  for (const volume of world.volumes) {
    for (const hole of state.holesOf(volume)) {
      holes += 1;
      const { fromPosition, toPosition, sinceMs, untilMs } = hole;
      if (toPosition === undefined || untilMs === undefined) throw new Error(`${volume} has a hole that never ended`);
      for (const { point } of state.points.values()) {
        const member = point.members.find((candidate) => candidate.volume === volume);
        if (member === undefined || member.provisional !== undefined) continue;
        const isBefore = member.position < fromPosition && point.atMs <= sinceMs + HOLD_MS_MAX;
        const isAfter = member.position >= toPosition && point.atMs >= untilMs;
        if (!isBefore && !isAfter)
          throw new Error(
            `point ${point.id} (${point.kind}) at ${point.atMs} has ${volume} at position ${member.position}, inside its hole ${fromPosition} (${sinceMs}) to ${toPosition} (${untilMs})`,
          );
      }
    }
  }
  return holes;
}

/**
 * The timeline's order is that of the states: of two points of a group that contain a volume in one
 * epoch, the later has no older state of it, whatever the clocks said.
 * @returns how many pairs were compared.
 */
export function checkTimeline(world: World): number {
  let compared = 0;
  for (const { group } of world.groups) {
    const newest = new Map<string, { readonly position: number; readonly point: string }>();
    for (const { id, members } of pointsOf(world.site.state, { group })) {
      for (const { volume, epoch, position, provisional } of members) {
        if (provisional !== undefined) continue;
        const key = `${volume}:${epoch}`;
        const before = newest.get(key);
        if (before !== undefined && position < before.position)
          throw new Error(
            `point ${id} of ${group} comes after ${before.point} and has ${volume} at ${position}, before ${before.position}`,
          );
        newest.set(key, { position, point: id });
        compared += before === undefined ? 0 : 1;
      }
    }
  }
  return compared;
}

/** Ownership spans follow each other without gap or overlap, and name the groups of the commits. */
export function checkOwners(world: World): void {
  const { state } = world.site;
  for (const volume of world.volumes) {
    const owners = state.ownersOf(volume);
    const row = state.volume(volume);
    const last = owners.at(-1);
    if (last?.group !== row.group || last.epoch !== row.epoch || last.toPosition !== undefined)
      throw new Error(`${volume} is owned by ${row.group} at ${row.epoch}, and its timeline says otherwise`);
    for (const [i, owner] of owners.entries()) {
      const next = owners[i + 1];
      if (next === undefined) continue;
      // A site that was put back to an older copy has forgotten some moves: they have no span.
      const follows = world.sitesPutBack > 0 ? owner.epoch < next.epoch : owner.epoch + 1 === next.epoch;
      if (!follows || owner.toPosition !== next.fromPosition || owner.toMs !== next.fromMs)
        throw new Error(`${volume}: the span of epoch ${owner.epoch} does not end where that of ${next.epoch} begins`);
    }
  }
}

/**
 * Only committed attempts have bookmarks in force, one "left" and, once joined, one "joined". Each
 * volume of a committed attempt is past the epoch at which the attempt was opened.
 */
export function checkAttempts(world: World): void {
  const { state } = world.site;
  const named = [...state.points.values()].filter(({ point }) => point.bookmark !== undefined);
  for (const { record } of state.attempts.values()) {
    const bookmarks = named.filter(
      ({ point }) =>
        point.bookmark?.attempt?.move === record.attempt.move && point.bookmark.attempt.n === record.attempt.n,
    );
    const inForce = bookmarks.filter(({ point }) => point.bookmark?.pending === false);
    const left = inForce.filter(({ point }) => point.kind === 'left').length;
    const joined = inForce.filter(({ point }) => point.kind === 'joined').length;
    const name = `${record.attempt.move}#${record.attempt.n}`;
    if (record.state === 'ABORTED' && bookmarks.length > 0) throw new Error(`${name} was aborted and left a bookmark`);
    if (record.state === 'OPEN' && inForce.length > 0) throw new Error(`${name} is open and has a bookmark in force`);
    // A commit that only a splitter remembered has no bookmarks.
    const isRemembered = record.state === 'COMMITTED' && record.reason !== undefined;
    // Retention may have dropped the points since.
    const isGone = (point: string | undefined): boolean =>
      point !== undefined && world.retention !== undefined && state.points.get(point) === undefined;
    const kept = {
      left: isGone(record.left?.point) ? 0 : 1,
      joined: record.joined === undefined || isGone(record.joined.point) ? 0 : 1,
    };
    if (record.state === 'COMMITTED' && !isRemembered && (left !== kept.left || joined !== kept.joined))
      throw new Error(`${name} is committed with ${left} "left" and ${joined} "joined" bookmarks`);
    if (record.state !== 'COMMITTED') continue;
    for (const { volume, epoch } of record.contents?.volumes ?? []) {
      if (state.volume(volume).epoch <= epoch)
        throw new Error(`${name} is committed but ${volume} is still at epoch ${epoch}`);
    }
  }
}

/**
 * The guest reads its own last acknowledged write, or gets an error. It is never served another
 * disk silently.
 */
export function checkReads(world: World): void {
  if (world.misread !== undefined) throw new Error(world.misread);
}

/**
 * Once quiet, replica = source, nothing is marked, fenced or announced, and routes and owners
 * agree.
 */
export function checkQuiet(world: World): void {
  for (const volume of world.volumes) {
    const host = world.hostOf(volume);
    const source = host.disks.get(volume) ?? new Uint32Array();
    const replica = world.site.contentAt(volume, world.site.appliedPosition(volume), BLOCKS);
    const expected = world.stateAfter(world.history.length, volume).slice();
    for (let block = 0; block < BLOCKS; block += 1) {
      if (world.splittersPutBack + world.splittersLost > 0) expected[block] = source[block] ?? 0;
      if (source[block] !== expected[block])
        throw new Error(`block ${block} of ${volume}: the source holds ${source[block]} instead of ${expected[block]}`);
      if (replica[block] !== expected[block])
        throw new Error(
          `block ${block} of ${volume}: the replica holds ${replica[block]} instead of ${expected[block]}`,
        );
    }
    const split = host.core?.volume(volume);
    const row = world.site.state.volume(volume);
    if (split === undefined) throw new Error(`${host.id} is down`);
    if (split.marks.marked > 0)
      throw new Error(`${volume} still has ${split.marks.marked} marked regions (${split.mode})`);
    if (split.row.fence !== undefined) throw new Error(`${volume} is still fenced`);
    const { notice } = split.row;
    if (notice !== undefined) throw new Error(`${volume} still has the notice of ${attemptName(notice.attempt)}`);
    if (split.row.route.group !== row.group || split.row.route.epoch !== row.epoch)
      throw new Error(
        `${volume}: the splitter sends to ${split.row.route.group} at ${split.row.route.epoch}, the owner is ${row.group} at ${row.epoch}`,
      );
  }
}

export function isQuiet(world: World): boolean {
  try {
    checkQuiet(world);
    return true;
  } catch {
    return false;
  }
}
