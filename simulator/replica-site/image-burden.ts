// What open images cost the replica site, and which of them have to go: history and memory that
// nothing else needs must not grow for ever.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PointId, VolumeId } from '../../contracts/ids.js';
import { beyondPolicy } from './core/policy.js';
import type { SiteState } from './core/state.js';
import type { Image, VolumeJournal } from './journal/terms/types.js';

const GIB = 1024 ** 3;
/**
 * UNDO that is kept for open images alone, bytes: as much as a group's whole journal by default.
 */
export const IMAGES_KEEP_BYTES_MAX = 64 * GIB;
/** Changed ranges that all open images remember, each some 50 bytes of memory: about 1.5 GiB. */
export const IMAGES_RANGES_MAX = 32 * 1024 * 1024;
/** From this share of a limit on there is a warning. */
const WARN_SHARE = 0.75;
/**
 * Points looked at in one slice of the event loop: with the most members a group may have, about a
 * millisecond.
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
  /** By the monotonic clock. */
  readonly openedAtMs: number;
}

export interface Burden {
  /** Images to close now, the oldest first, each with why. */
  readonly evict: readonly { readonly id: string; readonly why: string }[];
  /** Sentences about what is near a limit. */
  readonly warnings: readonly string[];
}

/** The part of a journal that is asked. */
export type UndoCosts = Pick<VolumeJournal, 'undoBytesAfter' | 'applied' | 'failure'>;

/** UNDO bytes kept for images alone, of each volume by the position that they are kept for. */
export type AloneBytes = ReadonlyMap<VolumeId, ReadonlyMap<number, number>>;

/** Which images have to go, the oldest first, and what is near. */
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
    const why = `open images remember ${ranges} changed ranges, more than ${rangesMax}`;
    if (!evictOldest(({ image }) => image.changedRanges.count > 0, why)) break;
  }
  const warnings = [
    ...nearTo(aloneBytesOf(left, alone), bytesMax, 'bytes of UNDO are kept for open images alone'),
    ...nearTo(rangesOf(left), rangesMax, 'changed ranges are remembered for open images'),
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
 * What the images keep that would be gone without them: what is charged to their positions, unless
 * a point names the same one that would be kept anyway; `ageMs` is the clock that ages are counted
 * by. Looks at every point, in slices. A volume whose journal fails is left out, so that it hides
 * no other.
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
  const dispensable = pointsKeptForImages(open, state, ageMs);
  let looked = 0;
  for (const { point } of state.points.values()) {
    looked += 1;
    if (looked % POINTS_PER_TURN === 0) await nextTurn();
    if (dispensable.has(point.id)) continue;
    for (const { volume, position } of point.members) needed.get(volume)?.add(position);
  }
  const result = new Map<VolumeId, Map<number, number>>();
  for (const [volume, positions] of needed) {
    const journal = journals.open.get(volume);
    if (journal === undefined || journal.failure !== undefined) continue;
    const own = open.filter((each) => each.volume === volume).map(({ image }) => image.position);
    const all = [...new Set([...positions, ...own])].filter((position) => position <= journal.applied.position);
    const sorted = all.toSorted((a, b) => a - b);
    const costs = await costsOf(journal, sorted).catch((error: unknown) => {
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

async function costsOf(journal: UndoCosts, positions: readonly number[]): Promise<readonly number[] | undefined> {
  return journal.undoBytesAfter(positions);
}

/**
 * Points that only an open image holds: the group's policy, or its journal's limit, would drop
 * them.
 */
function pointsKeptForImages(open: readonly Burdening[], state: SiteState, ageMs: number): ReadonlySet<PointId> {
  const inUse = new Set(open.flatMap(({ point }) => point ?? []));
  const groups = new Set([...inUse].flatMap((id) => state.points.get(id)?.point.group ?? []));
  const kept = new Set<PointId>();
  for (const id of groups) {
    const { retention, journal } = state.group(id);
    const isFull = journal.bytes > retention.journalBytesMax;
    const gone = isFull ? inUse : beyondPolicy(state.pointsOfGroup(id), retention, ageMs, new Set());
    for (const point of gone) if (inUse.has(point)) kept.add(point);
  }
  return kept;
}
