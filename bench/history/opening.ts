// How long it takes to open an old recovery point: volumes of several sizes with the same changes,
// and one size with more and more.
import { GUEST_BLOCK_BYTES, readBlock, writeBlock } from '../../estate/guest/block.js';
import { withExport } from '../../estate/compare.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { connectNbd } from '../../nbd/client.js';
import type { PointId } from '../../contracts/ids.js';
import { type OpenedVolume, OPENED } from './history-estate.js';
import type { Stand } from './stand.js';

const MIB = 1024 * 1024;
const WRITE_DEPTH = 32;
/**
 * Odd, so that it goes through every place of a power of two: neighbours are written far apart in
 * time.
 */
const STRIDE = 617;
const QUIET_MS_MAX = 60_000;
/** Enough for every hot path to be compiled, in three processes. */
const WARM_UP_OPENINGS = 8;
/** Openings of each volume in one repetition. */
export const OPENINGS = 20;
/** What the blocks say of the write that they hold. */
const SEED = 9_639_383;
const BEFORE = 1;
const AFTER = 2;

export interface Opening {
  readonly volume: string;
  readonly sizeMiB: number;
  readonly changedMiB: number;
  readonly repetition: number;
  /** From the start of the connection to the first bytes. */
  readonly ms: number;
  /** Of it, until the export is open. */
  readonly connectMs: number;
}

/**
 * Writes every volume's changes, half of them before a point and half after it.
 * @returns the point
 */
export async function prepareOpening(stand: Stand): Promise<PointId> {
  for (const volume of OPENED) await writePass(stand, volume, BEFORE);
  const point = await stand.closePoint();
  for (const volume of OPENED) await writePass(stand, volume, AFTER);
  return point;
}

/**
 * Opens each volume in turn, time and again.
 * @throws Error when an image holds anything but its point's bytes
 */
export async function measureOpening(stand: Stand, point: PointId, repetitions: number): Promise<Opening[]> {
  for (let i = 0; i < WARM_UP_OPENINGS; i += 1) await openAll(stand, point, i, 0);
  const openings: Opening[] = [];
  for (let repetition = 1; repetition <= repetitions; repetition += 1) {
    for (let i = 0; i < OPENINGS; i += 1) openings.push(...(await openAll(stand, point, i, repetition)));
  }
  return openings;
}

export function openingsOf(openings: readonly Opening[], { id }: OpenedVolume): Opening[] {
  return openings.filter(({ volume }) => volume === id);
}

async function openAll(stand: Stand, point: PointId, round: number, repetition: number): Promise<Opening[]> {
  const openings: Opening[] = [];
  const first = round % OPENED.length;
  // Whoever goes first changes; and the image of a volume is long closed when it is opened anew.
  for (const volume of [...OPENED.slice(first), ...OPENED.slice(0, first)]) {
    const { id, sizeMiB, changedMiB } = volume;
    // Somewhere else each time, among the places that need history.
    const slot = (STRIDE * (round * repetition + round)) % slotsOf(volume);
    openings.push({ volume: id, sizeMiB, changedMiB, repetition, ...(await openOnce(stand, point, volume, slot)) });
  }
  return openings;
}

async function openOnce(
  stand: Stand,
  point: PointId,
  volume: OpenedVolume,
  slot: number,
): Promise<Pick<Opening, 'ms' | 'connectMs'>> {
  const block = blockOf(volume, slot);
  const { address, name } = stand.image(volume.id, point);
  const startedAtMs = performance.now();
  const image = await connectNbd(address, name);
  try {
    const connectMs = performance.now() - startedAtMs;
    const data = await image.read(block * GUEST_BLOCK_BYTES, GUEST_BLOCK_BYTES);
    const ms = performance.now() - startedAtMs;
    const content = readBlock(data);
    if (content.kind !== 'written' || content.identity.block !== block || content.identity.sequence !== BEFORE)
      throw new Error(`Volume ${volume.id} does not hold at ${point} what was written before it in block ${block}.`);
    return { ms, connectMs };
  } finally {
    await image.disconnect();
  }
}

/** Every place once. */
async function writePass(stand: Stand, volume: OpenedVolume, sequence: number): Promise<void> {
  const slots = slotsOf(volume);
  await withExport(stand.source(volume.id), async (disk) => {
    let next = 0;
    const lane = async (): Promise<void> => {
      const data = Buffer.alloc(GUEST_BLOCK_BYTES);
      while (next < slots) {
        const block = blockOf(volume, (next * STRIDE) % slots);
        next += 1;
        writeBlock(data, { seed: SEED, sequence, block });
        await disk.write(block * GUEST_BLOCK_BYTES, data);
      }
    };
    await Promise.all(Array.from({ length: WRITE_DEPTH }, lane));
  });
  await waitUntilQuiet(stand.client, { volume: volume.id, timeoutMs: QUIET_MS_MAX });
}

/** Places that are written, each once before the point and once after it; a power of two. */
function slotsOf({ changedMiB }: OpenedVolume): number {
  return (changedMiB * MIB) / (2 * GUEST_BLOCK_BYTES);
}

/** Places lie evenly over the whole volume. */
function blockOf(volume: OpenedVolume, slot: number): number {
  return Math.floor((slot * volume.sizeMiB * MIB) / GUEST_BLOCK_BYTES / slotsOf(volume));
}
