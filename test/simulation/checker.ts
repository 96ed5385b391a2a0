// The promises, checked against everything the simulation knows.
import type { VolumeId } from '../../contracts/ids.js';
import { positionIn } from '../../simulator/replica-site/core/points.js';
import { BLOCKS, type World } from './world.js';

/** At any instant: what differs between the source and what is durable at the replica site is marked at the splitter. */
export function checkMarks(world: World): void {
  for (const volume of world.volumes) {
    const host = world.hostOf(volume);
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

/** Every point: the members together are a prefix of the guest's writes. */
export function checkPoints(world: World): { readonly checked: number; readonly full: number } {
  let checked = 0;
  let full = 0;
  const { state } = world.site;
  for (const row of state.points.values()) {
    const contents = new Map<VolumeId, Uint32Array>();
    for (const member of row.point.members) {
      if (member.provisional !== undefined || member.position > world.site.durable(member.volume).position) continue;
      contents.set(member.volume, world.site.contentAt(member.volume, positionIn(state, row, member.volume), BLOCKS));
    }
    if (contents.size === 0) continue;
    checked += 1;
    if (contents.size > 1) full += 1;
    let newest = 0;
    for (const content of contents.values()) for (const token of content) newest = Math.max(newest, token);
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

/** All volumes of an attempt are in one group; bookmarks stand only for committed attempts, one of each kind at most. */
export function checkAttempts(world: World): void {
  const { state } = world.site;
  for (const { record } of state.attempts.values()) {
    const bookmarks = [...state.points.values()].filter(
      ({ point }) =>
        point.bookmark?.attempt?.move === record.attempt.move && point.bookmark.attempt.n === record.attempt.n,
    );
    const inForce = bookmarks.filter(({ point }) => point.bookmark?.pending === false);
    const left = inForce.filter(({ point }) => point.kind === 'left').length;
    const joined = inForce.filter(({ point }) => point.kind === 'joined').length;
    const name = `${record.attempt.move}#${record.attempt.n}`;
    if (record.state === 'ABORTED' && bookmarks.length > 0) throw new Error(`${name} was aborted and left a bookmark`);
    if (record.state === 'OPEN' && inForce.length > 0) throw new Error(`${name} is open and has a bookmark in force`);
    if (record.state === 'COMMITTED' && (left !== 1 || joined !== (record.joined === undefined ? 0 : 1)))
      throw new Error(`${name} is committed with ${left} "left" and ${joined} "joined" bookmarks`);
    if (record.state !== 'COMMITTED') continue;
    for (const { volume, epoch } of record.contents?.volumes ?? []) {
      if (state.volume(volume).epoch <= epoch)
        throw new Error(`${name} is committed but ${volume} is still at epoch ${epoch}`);
    }
  }
}

/** Once quiet: replica = source, nothing marked, nothing fenced, routes and owners agree. */
export function checkQuiet(world: World): void {
  for (const volume of world.volumes) {
    const host = world.hostOf(volume);
    const source = host.disks.get(volume) ?? new Uint32Array();
    const replica = world.site.contentAt(volume, world.site.appliedPosition(volume), BLOCKS);
    const expected = world.stateAfter(world.history.length, volume);
    for (let block = 0; block < BLOCKS; block += 1) {
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
