// The replica's side of online verification: an image of a volume at a splitter's mark, and digests
// of its regions.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Cut } from '../../contracts/attempt.js';
import { MoverError } from '../../contracts/errors.js';
import type { OutputOf, ParsedInputOf } from '../../contracts/route.js';
import { VERIFY_REGION_BYTES, type verifyReplicaApi } from '../../contracts/verify.js';
import { timeLimit } from '../../control/time-limit.js';
import { digestOf, digestText } from '../digest/region-digest.js';
import { type PointCloser, whenReached } from './close-point.js';
import { cutsReached } from './core/points.js';
import type { Images } from './images.js';

type Api = typeof verifyReplicaApi;

/**
 * Regions read and digested in one turn of the event loop: less than a millisecond of the
 * processor.
 */
const REGIONS_PER_TURN = 16;

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
  { volume, mark, waitMs, client, evenInHole }: ParsedInputOf<Api['openMarkImage']>,
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
    return await images.open({ volume, position, evenInHole, hasPresentSize: true, client }, limit.signal);
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
 * Digests regions of an image; null for a region that fails its own checksum.
 * @throws MoverError IMAGE_NOT_FOUND, IMAGE_EVICTED, INVALID_REQUEST (no such regions), INTERNAL;
 * the signal's reason
 */
export async function digestImage(
  images: Images,
  { image, from, count }: ParsedInputOf<Api['digestImage']>,
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
  const digests: (string | null)[] = [];
  for (let at = from; at < to; at += REGIONS_PER_TURN) {
    signal.throwIfAborted();
    digests.push(...(await digestsOf(images, image, at, Math.min(to, at + REGIONS_PER_TURN), sizeBytes)));
    await nextTurn();
  }
  return { digests };
}

/** Digests some regions. If one fails its checksum, it reads them one by one to find which. */
async function digestsOf(
  images: Images,
  image: string,
  from: number,
  to: number,
  sizeBytes: number,
): Promise<(string | null)[]> {
  const offset = from * VERIFY_REGION_BYTES;
  try {
    const data = await images.read(image, offset, Math.min(to * VERIFY_REGION_BYTES, sizeBytes) - offset);
    const digests: string[] = [];
    for (let at = 0; at < data.length; at += VERIFY_REGION_BYTES)
      digests.push(digestText(digestOf(data.subarray(at, at + VERIFY_REGION_BYTES))));
    return digests;
  } catch (error) {
    if (!(error instanceof MoverError) || error.code !== 'CORRUPT') throw error;
    if (to - from === 1) return [null];
    const alone: (string | null)[] = [];
    for (let region = from; region < to; region += 1)
      alone.push(...(await digestsOf(images, image, region, region + 1, sizeBytes)));
    return alone;
  }
}
