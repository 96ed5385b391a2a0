// A volume that has grown has a size at each position: an earlier point opens with the size that it
// had. A growth is in force from the attachment with the larger size on. The splitter numbers a
// record right after it, so no position stands for both sizes.
import type { VolumeRow } from './rows.js';

/** The size of the volume at a position. */
export function sizeAt({ sizeBytes, sizes = [] }: VolumeRow, position: number): number {
  return sizes.find(({ upTo }) => position <= upTo)?.sizeBytes ?? sizeBytes;
}

/** The size up to which records are taken. */
export function acceptedSize({ sizeBytes, acceptedBytes = sizeBytes }: VolumeRow): number {
  return Math.max(sizeBytes, acceptedBytes);
}

/** The row after its splitter attached with a size, when the lineage ended at a position. */
export function withServedSize(row: VolumeRow, servedBytes: number, position: number): VolumeRow {
  if (servedBytes <= row.sizeBytes) return row;
  const { acceptedBytes = 0, sizes = [], ...rest } = row;
  const grown = { ...rest, sizeBytes: servedBytes, sizes: [...sizes, { upTo: position, sizeBytes: row.sizeBytes }] };
  return acceptedBytes > servedBytes ? { ...grown, acceptedBytes } : grown;
}
