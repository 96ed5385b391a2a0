// How long it takes to open an old recovery point: volumes of several sizes with the same changes,
// and one size with growing changes.
import { GUEST_BLOCK_BYTES, readBlock, writeBlock } from '../../estate/guest/block.js';
import { withExport } from '../../estate/compare.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { connectNbd } from '../../nbd/client.js';
import type { PointId } from '../../contracts/ids.js';
import { type OpenedVolume, OPENED } from './history-estate.js';
import type { Testbed } from './testbed.js';

const MIB = 1024 * 1024;
const WRITE_DEPTH = 32;
/**
 * Step between writes. Odd, so that it visits every place of a power of two: neighbours are written
 * far apart in time.
 */
const STRIDE = 617;
const QUIET_MS_MAX = 60_000;
/** Openings before the measurement: enough to compile every hot path in three processes. */
const WARM_UP_OPENINGS = 8;
/** Openings of each volume in one repetition. */
export const OPENINGS = 20;
/** Seed in the blocks' headers. */
const SEED = 9_639_383;
/** Sequence numbers in the blocks' headers: of what is written before the point, and after it. */
const BEFORE = 1;
const AFTER = 2;

export interface Opening {
  readonly volume: string;
  readonly sizeMiB: number;
  readonly changedMiB: number;
  readonly repetition: number;
  /** Time from starting to connect to the first bytes, ms. */
  readonly ms: number;
  /** Part of `ms` until the export is open. */
  readonly connectMs: number;
}

/**
 * Writes every volume's changes, half before a point and half after it.
 * @returns the point
 */
export async function prepareOpening(testbed: Testbed): Promise<PointId> {
  for (const volume of OPENED) await writePass(testbed, volume, BEFORE);
  const point = await testbed.closePoint();
  for (const volume of OPENED) await writePass(testbed, volume, AFTER);
  return point;
}

/**
 * Opens each volume in turn, repeatedly.
 * @throws Error when an image holds anything but its point's bytes
 */
export async function measureOpening(testbed: Testbed, point: PointId, repetitions: number): Promise<Opening[]> {
  for (let i = 0; i < WARM_UP_OPENINGS; i += 1) await openAll(testbed, point, i, 0);
  const openings: Opening[] = [];
  for (let repetition = 1; repetition <= repetitions; repetition += 1) {
    for (let i = 0; i < OPENINGS; i += 1) openings.push(...(await openAll(testbed, point, i, repetition)));
  }
  return openings;
}

export function openingsOf(openings: readonly Opening[], { id }: OpenedVolume): Opening[] {
  return openings.filter(({ volume }) => volume === id);
}

async function openAll(testbed: Testbed, point: PointId, round: number, repetition: number): Promise<Opening[]> {
  const openings: Opening[] = [];
  const first = round % OPENED.length;
  // The first volume changes from round to round, and a volume's image has long been closed when it
  // is opened again.
  for (const volume of [...OPENED.slice(first), ...OPENED.slice(0, first)]) {
    const { id, sizeMiB, changedMiB } = volume;
    // Each opening reads another place; all of them need history. The warm-up is repetition 0.
    const slot = (STRIDE * (repetition * OPENINGS + round)) % slotsOf(volume);
    openings.push({ volume: id, sizeMiB, changedMiB, repetition, ...(await openOnce(testbed, point, volume, slot)) });
  }
  return openings;
}

async function openOnce(
  testbed: Testbed,
  point: PointId,
  volume: OpenedVolume,
  slot: number,
): Promise<Pick<Opening, 'ms' | 'connectMs'>> {
  const block = blockOf(volume, slot);
  const { address, name } = testbed.image(volume.id, point);
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

/** Writes every place of a volume once. */
async function writePass(testbed: Testbed, volume: OpenedVolume, sequence: number): Promise<void> {
  const slots = slotsOf(volume);
  await withExport(testbed.source(volume.id), async (disk) => {
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
  await waitUntilQuiet(testbed.client, { volume: volume.id, timeoutMs: QUIET_MS_MAX });
}

/**
 * Number of written places, each written once before the point and once after it; a power of two.
 */
function slotsOf({ changedMiB }: OpenedVolume): number {
  return (changedMiB * MIB) / (2 * GUEST_BLOCK_BYTES);
}

/** The block of a place. Places are spread evenly over the whole volume. */
function blockOf(volume: OpenedVolume, slot: number): number {
  return Math.floor((slot * volume.sizeMiB * MIB) / GUEST_BLOCK_BYTES / slotsOf(volume));
}
