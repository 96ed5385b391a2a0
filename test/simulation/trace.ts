// One run as lines that a person can read: calls, faults, and each change of a state.
import { attemptName } from '../../contracts/attempt.js';
import type { VolumeSplit } from '../../simulator/splitter/core/volume-split.js';
import type { World } from './world.js';

/** Prints what happens in a world from now on. Attach it before the world starts. */
export function traceWorld(world: World, print: (line: string) => void): void {
  const startMs = world.time.nowMs;
  const say = (text: string): void => {
    print(`${((world.time.nowMs - startMs) / 1_000).toFixed(3).padStart(9)} s  ${text}`);
  };
  world.trace = say;
  let before = statesOf(world, new Map());
  world.time.onStep = () => {
    const now = statesOf(world, before);
    for (const [name, state] of now) {
      const former = before.get(name);
      if (state !== former) say(`${name}: ${former === undefined ? '' : `${former} → `}${state}`);
    }
    for (const [name, former] of before) if (!now.has(name)) say(`${name}: ${former} → gone`);
    before = now;
  };
}

/** What a reader follows, by name. A splitter that is down keeps the states it had before. */
function statesOf(world: World, before: ReadonlyMap<string, string>): Map<string, string> {
  const { site } = world;
  const states = new Map<string, string>();
  states.set('replica site', upOf(site.up, site.full));
  for (const [id, { up }] of world.appliances) states.set(`appliance ${id}`, upOf(up, false));
  for (const [process, shiftMs] of world.time.wallShiftsMs) states.set(`clock of ${process}`, `set by ${shiftMs} ms`);
  for (const host of world.splitters.values()) {
    states.set(`splitter ${host.id}`, upOf(host.core !== undefined, host.full));
    if (host.core === undefined)
      for (const [name, former] of before) if (name.includes(` at ${host.id}, `)) states.set(name, former);
    for (const split of host.core?.volumes ?? [])
      for (const [what, state] of Object.entries(splitStatesOf(split)))
        states.set(`${split.volume} at ${host.id}, ${what}`, state);
  }
  for (const { record } of site.state.attempts.values()) {
    const { state, seals, left, joined, reason } = record;
    states.set(
      `attempt ${attemptName(record.attempt)}`,
      [
        state,
        ...(seals.length > 0 ? ['sealed'] : []),
        ...(left === undefined ? [] : [`snapshot ${left.point}${left.bookmarked ? ' with its bookmark' : ''}`]),
        ...(joined === undefined ? [] : [`joined in ${joined.point}`]),
        ...(reason === undefined ? [] : [`(${reason})`]),
      ].join(', '),
    );
  }
  for (const volume of world.volumes) {
    const { group, epoch, sealed } = site.state.volume(volume);
    states.set(`${volume} at the site, owner`, `${group} at epoch ${epoch}`);
    states.set(`${volume} at the site, intake`, sealed ? 'sealed' : 'open');
  }
  for (const { hole } of site.state.holes.values())
    states.set(`hole of ${hole.volume} from ${hole.fromPosition}`, `to ${hole.toPosition ?? 'now'} (${hole.reason})`);
  return states;
}

function splitStatesOf({ row, mode }: VolumeSplit): Record<string, string> {
  const { route, notice, fence, decided } = row;
  return {
    route: `${route.group} on ${route.appliance} at epoch ${route.epoch}`,
    mode,
    notice: notice === undefined ? 'none' : `${attemptName(notice.attempt)} to ${notice.to.group}`,
    fence:
      fence === undefined
        ? 'none'
        : `${attemptName(fence.attempt)} at ${fence.cut.session}.${fence.cut.n}${fence.lapsed ? ', lapsed' : ''}`,
    decided: decided === undefined ? 'nothing' : `${attemptName(decided.attempt)} ${decided.verdict}`,
  };
}

function upOf(isUp: boolean, isFull: boolean): string {
  return `${isUp ? 'up' : 'down'}${isFull ? ', disk full' : ''}`;
}
