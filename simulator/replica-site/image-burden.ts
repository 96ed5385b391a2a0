// What open images cost the replica site, and which must be closed: UNDO and memory that only
// images need must stay bounded.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PointId, VolumeId } from '../../contracts/ids.js';
import { beyondPolicy } from './core/policy.js';
import type { SiteState } from './core/state.js';
import { holdIn } from './core/ways-back.js';
import type { Image, VolumeJournal } from './journal/terms/types.js';

const GIB = 1024 ** 3;
/** Most bytes of UNDO kept for open images alone: as much as a group's whole journal by default. */
export const IMAGES_KEEP_BYTES_MAX = 64 * GIB;
/** Most changed ranges that all open images hold in memory, about 50 bytes each: about 1.5 GiB. */
export const IMAGES_RANGES_MAX = 32 * 1024 * 1024;
/** Share of a limit from which on health warns. */
const WARN_SHARE = 0.75;
/**
 * Points read in one turn of the event loop: with the most members of a group, about a millisecond.
 */
const POINTS_PER_TURN = 16;

export interface BurdenLimits {
  readonly imagesKeepBytesMax?: number | undefined;
  readonly imagesRangesMax?: number | undefined;
}

export interface Burdening {
  readonly id: string;
  readonly volume: VolumeId;
  readonly point: PointId | undefined;
  readonly image: Pick<Image, 'position' | 'changedRanges'>;
  /** Time of opening, by the monotonic clock. */
  readonly openedAtMs: number;
}

export interface Burden {
  /** Images to close now, the oldest first, each with the reason. */
  readonly evict: readonly { readonly id: string; readonly why: string }[];
  /** Sentences about limits that are near. */
  readonly warnings: readonly string[];
}

/** The part of a journal that is used here. */
export type UndoCosts = Pick<VolumeJournal, 'undoBytesAfter' | 'applied' | 'failure'>;

/** UNDO bytes kept for images alone, by volume and position. */
export type AloneBytes = ReadonlyMap<VolumeId, ReadonlyMap<number, number>>;

/** Which images must be closed, the oldest first, and which limits are near. */
export function burdenOf(open: readonly Burdening[], alone: AloneBytes, limits: BurdenLimits): Burden {
  const bytesMax = limits.imagesKeepBytesMax ?? IMAGES_KEEP_BYTES_MAX;
  const rangesMax = limits.imagesRangesMax ?? IMAGES_RANGES_MAX;
  const evict: { id: string; why: string }[] = [];
  let left = open.toSorted((a, b) => a.openedAtMs - b.openedAtMs);
  const evictOldest = (guilty: (each: Burdening) => boolean, why: string): boolean => {
    const oldest = left.find(guilty);
    if (oldest === undefined) return false;
    evict.push({ id: oldest.id, why });
    left = left.filter((each) => each !== oldest);
    return true;
  };
  const keepsBytes = ({ volume, image }: Burdening): boolean => (alone.get(volume)?.get(image.position) ?? 0) > 0;
  for (let bytes = aloneBytesOf(left, alone); bytes > bytesMax; bytes = aloneBytesOf(left, alone)) {
    const why = `open images alone keep ${bytes} bytes of UNDO, more than ${bytesMax}`;
    if (!evictOldest(keepsBytes, why)) break;
  }
  for (let ranges = rangesOf(left); ranges > rangesMax; ranges = rangesOf(left)) {
    const why = `open images hold ${ranges} changed ranges in memory, more than ${rangesMax}`;
    if (!evictOldest(({ image }) => image.changedRanges.count > 0, why)) break;
  }
  const warnings = [
    ...nearTo(aloneBytesOf(left, alone), bytesMax, 'bytes of UNDO are kept for open images alone'),
    ...nearTo(rangesOf(left), rangesMax, 'changed ranges of open images are held in memory'),
  ];
  return { evict, warnings };
}

function nearTo(value: number, max: number, what: string): string[] {
  if (value === 0 || value < max * WARN_SHARE) return [];
  return [`${value} ${what}; beyond ${max} the oldest image is closed.`];
}

function rangesOf(open: readonly Burdening[]): number {
  return open.reduce((sum, { image }) => sum + image.changedRanges.count, 0);
}

function aloneBytesOf(open: readonly Burdening[], alone: AloneBytes): number {
  const counted = new Set<string>();
  let sum = 0;
  for (const { volume, image } of open) {
    const place = `${volume}@${image.position}`;
    if (!counted.has(place)) sum += alone.get(volume)?.get(image.position) ?? 0;
    counted.add(place);
  }
  return sum;
}

/**
 * UNDO that only open images keep: the bytes charged to their positions, unless a point that stays
 * anyway names the same position. `ageMs` is the clock of ages. Reads every point, in slices. A
 * volume whose journal fails is left out, and the others are still counted.
 */
export async function aloneBytes(
  open: readonly Burdening[],
  state: SiteState,
  ageMs: number,
  journals: { readonly open: ReadonlyMap<VolumeId, UndoCosts> },
  onFailed: (volume: VolumeId, error: unknown) => void,
): Promise<AloneBytes> {
  if (open.length === 0) return new Map();
  const needed = new Map<VolumeId, Set<number>>(open.map(({ volume }) => [volume, new Set()]));
  const keptForImages = pointsKeptForImages(open, state, ageMs);
  let read = 0;
  for (const { point } of state.points.values()) {
    read += 1;
    if (read % POINTS_PER_TURN === 0) await nextTurn();
    if (keptForImages.has(point.id)) continue;
    for (const { volume, position } of point.members) needed.get(volume)?.add(position);
  }
  const result = new Map<VolumeId, Map<number, number>>();
  for (const [volume, positions] of needed) {
    const journal = journals.open.get(volume);
    if (journal === undefined || journal.failure !== undefined) continue;
    const own = open.filter((each) => each.volume === volume).map(({ image }) => image.position);
    const all = [...new Set([...positions, ...own])].filter((position) => position <= journal.applied.position);
    const sorted = all.toSorted((a, b) => a - b);
    const costs = await journal.undoBytesAfter(sorted).catch((error: unknown) => {
      onFailed(volume, error);
      return undefined;
    });
    if (costs === undefined) continue;
    const costOf = new Map(sorted.map((position, i) => [position, costs[i] ?? 0]));
    const alone = own.filter((position) => !positions.has(position));
    result.set(volume, new Map(alone.map((position) => [position, costOf.get(position) ?? 0])));
  }
  return result;
}

/**
 * Points that only an open image keeps: the group's policy or its journal's limit would drop them.
 */
function pointsKeptForImages(open: readonly Burdening[], state: SiteState, ageMs: number): ReadonlySet<PointId> {
  const inUse = new Set(open.flatMap(({ point }) => point ?? []));
  const groups = new Set([...inUse].flatMap((id) => state.points.get(id)?.point.group ?? []));
  const kept = new Set<PointId>();
  for (const id of groups) {
    const { retention, journal } = state.group(id);
    const isFull = journal.bytes > retention.journalBytesMax;
    const gone = isFull
      ? inUse
      : beyondPolicy(state.pointsOfGroup(id), retention, ageMs, new Set(), holdIn(state, id, ageMs));
    for (const point of gone) if (inUse.has(point)) kept.add(point);
  }
  return kept;
}
