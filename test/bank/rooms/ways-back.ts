// Bugs of the way back of a reversible move: what is kept for it, what is refused, and its end.
import type { Room } from '../bug.js';

const WAYS = 'simulator/replica-site/core/ways-back.ts';
const ATTEMPTS = 'simulator/replica-site/core/attempts.ts';
const POLICY = 'simulator/replica-site/core/policy.ts';
const SPACE = 'simulator/replica-site/core/journal-space.ts';
const LIFECYCLE = 'simulator/replica-site/core/lifecycle.ts';
const FROM_ESTATE = 'simulator/replica-site/core/from-estate.ts';

export const waysBack: Room = {
  name: 'ways-back',
  tests: ['test/unit/site-ways-back', 'test/unit/site-core-'],
  simulated: true,
  bugs: [
    {
      id: 'ways-back/never-over',
      file: WAYS,
      find: 'if (wayBack.untilMs <= ageMs || !isWhereMoved(state, contents)) return undefined;',
      replace: 'if (!isWhereMoved(state, contents)) return undefined;',
      breaks: 'A group keeps places and points for a way back whose time is long over.',
      kind: 'forgotten field',
    },
    {
      id: 'ways-back/one-volume-alone',
      file: WAYS,
      find: 'open.contents.volumes.every((bound) => moving.has(bound.volume))',
      replace: 'open.contents.volumes.some((bound) => moving.has(bound.volume))',
      breaks: 'One disk of a VM goes back alone, and the others can no longer follow.',
      kind: 'wrong side',
    },
    {
      id: 'ways-back/elsewhere',
      file: WAYS,
      find: 'const isBack = open.contents.from === to && ',
      replace: 'const isBack = ',
      breaks: 'A nightly batch moves a volume on, and its way back is gone.',
      kind: 'forgotten field',
    },
    {
      id: 'ways-back/points-of-after-held',
      file: WAYS,
      find: 'member.epoch <= (epochs.get(member.volume) ?? -1)',
      replace: 'member.epoch < (epochs.get(member.volume) ?? -1)',
      breaks: 'The points that the old group had of the volume age out before it comes back.',
      kind: 'off by one',
    },
    {
      id: 'ways-back/place-counted-twice',
      file: ATTEMPTS,
      find: 'return new Set(volumes.filter((volume) => !isOnItsWay(volume)));',
      replace: 'return new Set(volumes);',
      breaks: 'A group is full while a volume is on its way back to it.',
      kind: 'forgotten field',
    },
    {
      id: 'ways-back/place-given-away',
      file: ATTEMPTS,
      find: 'if (arriving > 0 && taken + kept.size + arriving > target.volumesMax) {',
      replace: 'if (arriving > 0 && taken + arriving > target.volumesMax) {',
      breaks: 'Another move takes the place that a reversible move is promised.',
      kind: 'forgotten field',
    },
    {
      id: 'ways-back/not-opened-at-the-commit',
      file: ATTEMPTS,
      find: 'const wayBack = reversibleForMs === undefined ? {} : { wayBack: openedWayBack(reversibleForMs, now) };',
      replace: 'const wayBack = reversibleForMs === undefined ? { wayBack: openedWayBack(0, now) } : {};',
      breaks: 'A move that was started as reversible has no way back.',
      kind: 'wrong side',
    },
    {
      id: 'ways-back/points-age',
      file: POLICY,
      find: 'hold?.holds(row) === true ? Math.min(ageMs, hold.sinceMs) : ageMs;',
      replace: 'hold?.holds(row) === true ? Math.max(ageMs, hold.sinceMs) : ageMs;',
      breaks: 'The history of before the move is thinned while it is promised whole.',
      kind: 'wrong side',
    },
    {
      id: 'ways-back/dropped-for-room',
      file: SPACE,
      find: '    if (hold?.holds(candidate) === true) continue;\n',
      replace: '',
      breaks: 'A full journal drops the points that a way back is promised.',
      kind: 'missing guard',
    },
    {
      id: 'ways-back/group-retired',
      file: LIFECYCLE,
      find: '  checkWaysBack(state, group, now, against);\n}',
      replace: '}',
      breaks: 'The group that a volume may come back to is retired.',
      kind: 'missing guard',
    },
    {
      id: 'ways-back/estate-file-first',
      file: FROM_ESTATE,
      find: 'if (state.unendedWaysBack(group).length > 0) return;',
      replace: 'if (state.unendedWaysBack(group).length < 0) return;',
      breaks: 'A start with a changed estate file breaks the promise of a way back.',
      kind: 'wrong value',
    },
  ],
};
