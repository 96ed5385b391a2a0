// Histories for the tests of timelines, by hand: the times and names that matter, everything else
// filled in.
import type { ListedPoints } from '../../client/points/list.js';
import { groupIdSchema, moveIdSchema, pointIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import type { Bookmark, Hole, LeftOut, Ownership, RecoveryPoint } from '../../contracts/point.js';

export const NOON_MS = Date.UTC(2026, 10, 23, 12);

export interface PointWords {
  readonly id: string;
  readonly atMs: number;
  readonly group?: string;
  readonly volumes?: readonly string[];
  readonly leftOut?: Readonly<Record<string, LeftOut['reason']>>;
  readonly bookmark?: Pick<Bookmark, 'name'> & Partial<Bookmark>;
}

export function pointOf({
  id,
  atMs,
  group = 'cg-a',
  volumes = ['vm-1'],
  leftOut = {},
  bookmark,
}: PointWords): RecoveryPoint {
  return {
    id: pointIdSchema.parse(id),
    group: groupIdSchema.parse(group),
    kind: 'periodic',
    atMs,
    members: volumes.map((volume, index) => ({ volume: volumeIdSchema.parse(volume), position: index + 1, epoch: 1 })),
    leftOut: Object.entries(leftOut).map(([volume, reason]) => ({ volume: volumeIdSchema.parse(volume), reason })),
    ...(bookmark === undefined ? {} : { bookmark: { pending: false, keep: 'policy', ...bookmark } }),
  };
}

export interface HoleWords {
  readonly sinceMs: number;
  readonly untilMs?: number;
  readonly volume?: string;
}

export function holeOf({ volume = 'vm-1', sinceMs, untilMs }: HoleWords): Hole {
  const start = { volume: volumeIdSchema.parse(volume), fromPosition: 1, sinceMs, reason: 'backlog overflow' };
  return untilMs === undefined ? start : { ...start, toPosition: 2, untilMs };
}

export interface OwnedWords {
  readonly group: string;
  readonly fromMs: number;
  readonly toMs?: number;
  readonly volume?: string;
}

export function ownedBy({ group, fromMs, toMs, volume = 'vm-1' }: OwnedWords, index = 0): Ownership {
  const span = {
    volume: volumeIdSchema.parse(volume),
    group: groupIdSchema.parse(group),
    epoch: index + 1,
    fromPosition: index * 100,
    fromMs,
    ...(index === 0 ? {} : { move: moveIdSchema.parse(`move-${index}`) }),
  };
  return toMs === undefined ? span : { ...span, toMs, toPosition: (index + 1) * 100 };
}

export function historyOf(of: {
  readonly points?: readonly PointWords[];
  readonly holes?: readonly HoleWords[];
  readonly owners?: readonly OwnedWords[];
}): ListedPoints {
  const { points = [], holes = [], owners = [] } = of;
  return {
    points: points.map((point) => pointOf(point)),
    holes: holes.map((hole) => holeOf(hole)),
    owners: owners.map((owned, index) => ownedBy(owned, index)),
  };
}

export const VOLUME = { volume: volumeIdSchema.parse('vm-1') };
export const GROUP = { group: groupIdSchema.parse('cg-a') };
