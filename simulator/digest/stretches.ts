// Splits a volume's regions into holes, which nobody reads, and data, which is read in order, a few
// reads ahead.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { VERIFY_REGION_BYTES } from '../../contracts/verify.js';
import type { Allocated } from '../disk/holes.js';

/** Regions read at once and digested in one turn of the event loop: about 0.2 ms. */
const REGIONS_PER_READ = 16;
/** Reads under way at once: as many as the thread pool has threads. */
const READS_AHEAD = 4;
const READ_BYTES = REGIONS_PER_READ * VERIFY_REGION_BYTES;

/** Regions that follow one another. A stretch of data has at most REGIONS_PER_READ of them. */
export interface Stretch {
  readonly from: number;
  readonly regions: number;
  readonly isHole: boolean;
}

/** Whole regions of a part that begins at a region's start: all hole, or with data in them. */
export function regionsOfPart(part: Allocated, from: number, sizeBytes: number): Omit<Stretch, 'from'> {
  const end = from * VERIFY_REGION_BYTES + part.length;
  const isLast = end >= sizeBytes;
  const wholeTo = part.isHole && !isLast ? Math.floor(end / VERIFY_REGION_BYTES) : Math.ceil(end / VERIFY_REGION_BYTES);
  // A hole of less than a region: the region has data further on.
  return wholeTo > from ? { regions: wholeTo - from, isHole: part.isHole } : { regions: 1, isHole: false };
}

/**
 * Splits the regions [from, to) until there are `entriesMax` digests and holes.
 * @param partAt what is at a region, and for how many of the next `regionsMax`
 */
export async function stretchesOf(
  from: number,
  to: number,
  entriesMax: number,
  partAt: (region: number, regionsMax: number) => Promise<Omit<Stretch, 'from'>>,
): Promise<Stretch[]> {
  const stretches: Stretch[] = [];
  let entries = 0;
  let at = from;
  while (at < to && entries < entriesMax) {
    const part = await partAt(at, to - at);
    if (part.isHole) {
      const last = stretches.at(-1);
      if (last?.isHole === true) {
        stretches[stretches.length - 1] = { ...last, regions: last.regions + part.regions };
      } else {
        stretches.push({ from: at, ...part });
        entries += 1;
      }
      at += part.regions;
      continue;
    }
    const end = at + Math.min(part.regions, to - at, entriesMax - entries);
    entries += end - at;
    for (; at < end; at += REGIONS_PER_READ)
      stretches.push({ from: at, regions: Math.min(REGIONS_PER_READ, end - at), isHole: false });
    at = end;
  }
  return stretches;
}

/**
 * Reads stretches and uses each in order, with a turn of the event loop between them.
 * @param read reads into the buffer, which is used again for a later stretch: new memory would cost
 * more than reading does
 * @param mayGoOn asked before each but the first
 * @returns how many were used
 */
export async function readInOrder<Data>(
  stretches: readonly Stretch[],
  read: (stretch: Stretch, into: Buffer) => Promise<Data>,
  use: (stretch: Stretch, data: Data) => void,
  mayGoOn: () => boolean,
): Promise<number> {
  const ahead: Promise<Data>[] = [];
  const buffers: Buffer[] = [];
  for (const [index, stretch] of stretches.entries()) {
    if (index > 0 && !mayGoOn()) return index;
    for (let next = index + ahead.length; next < index + READS_AHEAD; next += 1) {
      const later = stretches[next];
      if (later === undefined) break;
      const buffer = (buffers[next % READS_AHEAD] ??= Buffer.allocUnsafeSlow(READ_BYTES));
      const reading = read(later, buffer);
      // It is awaited in its turn, or not at all.
      reading.catch(() => undefined);
      ahead.push(reading);
    }
    const [first] = ahead.splice(0, 1);
    if (first !== undefined) use(stretch, await first);
    await nextTurn();
  }
  return stretches.length;
}
