// The replica's side of online verification: an image of a volume at a splitter's mark, and digests
// of its regions.
import type { Cut } from '../../contracts/attempt.js';
import { MoverError } from '../../contracts/errors.js';
import type { OutputOf, ParsedInputOf } from '../../contracts/route.js';
import {
  type DigestRun,
  DIGESTS_WITHIN_MS,
  VERIFY_REGION_BYTES,
  type verifyReplicaApi,
} from '../../contracts/verify.js';
import { timeLimit } from '../../control/time-limit.js';
import { digestText } from '../digest/region-digest.js';
import { readInOrder, regionsOfPart, type Stretch, stretchesOf } from '../digest/stretches.js';
import { type PointCloser, whenReached } from './close-point.js';
import { cutsReached } from './core/points.js';
import type { Images } from './images.js';

type Api = typeof verifyReplicaApi;

export interface MarkImages extends PointCloser {
  readonly images: Images;
}

/**
 * Opens an image at a mark, once that is applied, or fails after `waitMs`.
 * @throws MoverError VOLUME_NOT_FOUND, POINT_UNAVAILABLE, NOT_SYNCED, POINT_TRIMMED, IMAGE_LIMIT,
 * CORRUPT, INTERNAL; the signal's reason
 */
export async function openMarkImage(
  closer: MarkImages,
  { volume, mark, waitMs, client, evenInHole, key }: ParsedInputOf<Api['openMarkImage']>,
  signal: AbortSignal,
): Promise<OutputOf<Api['openMarkImage']>> {
  const { site, journals, images } = closer;
  const { state } = site;
  const cut: Cut = { volume, ...mark };
  const limit = timeLimit(waitMs, signal);
  try {
    state.volume(volume);
    await journals.require([volume]);
    await whenReached(closer, [cut], waitMs, signal);
    signal.throwIfAborted();
    const position = state.positionOf(state.volume(volume), mark);
    if (position === undefined || !cutsReached(state, [cut])) throw unavailable(closer, cut);
    if (!evenInHole && state.inHole(volume, position))
      throw new MoverError('NOT_SYNCED', `Volume "${volume}" is in short initialization at write ${mark.n}.`);
    return await images.open({ volume, position, evenInHole, hasPresentSize: true, client, key }, limit.signal);
  } catch (error) {
    // It was durable in time, but not applied.
    if (limit.expired() && !(error instanceof MoverError)) throw unavailable(closer, cut);
    throw error;
  } finally {
    limit.release();
  }
}

function unavailable({ site }: MarkImages, { volume, session, n }: Cut): MoverError {
  const durable = site.state.lineages.durable(volume);
  return new MoverError(
    'POINT_UNAVAILABLE',
    `The writes of volume "${volume}" up to ${session}/${n} are not all applied at the replica site, which has ${durable.session}/${durable.n}.`,
  );
}

/**
 * What an image has in regions, from the first one on: as much as one answer has; null for a region
 * that fails its own checksum.
 * @throws MoverError IMAGE_NOT_FOUND, IMAGE_EVICTED, INVALID_REQUEST (no such regions, or not
 * opened at a mark), INTERNAL; the signal's reason
 */
export async function digestImage(
  images: Images,
  { image, from, count, digestsMax }: ParsedInputOf<Api['digestImage']>,
  signal: AbortSignal,
): Promise<OutputOf<Api['digestImage']>> {
  const sizeBytes = images.sizeOf(image);
  const to = from + count;
  const regions = Math.ceil(sizeBytes / VERIFY_REGION_BYTES);
  if (to > regions)
    throw new MoverError(
      'INVALID_REQUEST',
      `The image has ${regions} regions; ${from} to ${to - 1} are not all there.`,
    );
  const untilMs = performance.now() + DIGESTS_WITHIN_MS;
  const digester = images.digesterOf(image);
  const placeOf = (first: number, length: number) => {
    const at = first * VERIFY_REGION_BYTES;
    return [at, Math.min(at + length * VERIFY_REGION_BYTES, sizeBytes) - at] as const;
  };
  const stretches = await stretchesOf(from, to, digestsMax, async (region, regionsMax) =>
    regionsOfPart(await images.partFrom(image, ...placeOf(region, regionsMax)), region, sizeBytes),
  );
  const digests: DigestRun[] = [];
  let done = 0;
  const read = async (first: number, length: number, into: Buffer): Promise<Buffer> => {
    const [at, bytes] = placeOf(first, length);
    const data = into.subarray(0, bytes);
    await images.readInto(image, at, data);
    return data;
  };
  await readInOrder(
    stretches,
    async (stretch, into) => (stretch.isHole ? [] : await dataOf(stretch, into, read)),
    (stretch, data) => {
      signal.throwIfAborted();
      done += stretch.regions;
      if (stretch.isHole) digests.push(stretch.regions);
      for (const part of data) {
        if (part === undefined) digests.push(null);
        else
          for (let at = 0; at < part.length; at += VERIFY_REGION_BYTES)
            digests.push(digestText(digester.digestOf(part.subarray(at, at + VERIFY_REGION_BYTES))));
      }
    },
    () => performance.now() < untilMs,
  );
  return { regions: done, digests };
}

/**
 * Reads a stretch. If it fails its checksums, reads its regions one by one to find which: undefined
 * for those.
 */
async function dataOf(
  { from, regions }: Omit<Stretch, 'isHole'>,
  into: Buffer,
  read: (from: number, regions: number, into: Buffer) => Promise<Buffer>,
): Promise<readonly (Buffer | undefined)[]> {
  try {
    return [await read(from, regions, into)];
  } catch (error) {
    if (!(error instanceof MoverError) || error.code !== 'CORRUPT') throw error;
    if (regions === 1) return [undefined];
    const alone: (Buffer | undefined)[] = [];
    for (let i = 0; i < regions; i += 1)
      alone.push(...(await dataOf({ from: from + i, regions: 1 }, into.subarray(i * VERIFY_REGION_BYTES), read)));
    return alone;
  }
}
