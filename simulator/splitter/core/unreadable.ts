// Describes the regions that can't be read at the source: byte ranges, and the sentence that names
// them.
import type { VolumeId } from '../../../contracts/ids.js';
import { type ByteRange, type SplitterVolume, UNREADABLE_RANGES_MAX } from '../../../contracts/splitter-api.js';
import { REGION_BYTES, UNREADABLE_REGIONS_MAX } from './marks.js';

/** Most ranges that the sentence names; the inventory lists more. */
const RANGES_NAMED_MAX = 4;

/** The unreadable ranges; undefined when all regions can be read. */
export function unreadableOf(sizeBytes: number, regions: ReadonlySet<number>): SplitterVolume['unreadable'] {
  if (regions.size === 0) return undefined;
  return { regions: regions.size, ranges: rangesOf(sizeBytes, regions).slice(0, UNREADABLE_RANGES_MAX) };
}

/** @param why what the system said */
export function unreadableSentence(
  volume: VolumeId,
  sizeBytes: number,
  regions: ReadonlySet<number>,
  why: string,
): string | undefined {
  if (regions.size === 0) return undefined;
  const ranges = rangesOf(sizeBytes, regions);
  const named = ranges.slice(0, RANGES_NAMED_MAX).map(({ offset, length }) => `${offset} to ${offset + length - 1}`);
  const more = ranges.length > named.length || regions.size === UNREADABLE_REGIONS_MAX ? ' and more' : '';
  return (
    `Volume "${volume}": bytes ${named.join(', ')}${more} of its source can't be read to be sent again (${why}). ` +
    'They stay marked and are tried again. Until they can be read, or the guest writes them again, new points of the group leave the ' +
    'volume out. Repair the disk of that file.'
  );
}

/** The regions as byte ranges, neighbours joined. */
function rangesOf(sizeBytes: number, regions: ReadonlySet<number>): ByteRange[] {
  const ranges: { offset: number; length: number }[] = [];
  for (const region of [...regions].toSorted((a, b) => a - b)) {
    const offset = region * REGION_BYTES;
    const length = Math.min(REGION_BYTES, sizeBytes - offset);
    const last = ranges.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += length;
    else ranges.push({ offset, length });
  }
  return ranges;
}
