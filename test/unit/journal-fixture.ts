// Small volumes for the journal's unit tests: records one after another, on a disk in memory.
import type { JournalOptions, NewRecord, VolumeJournal } from '../../simulator/replica-site/journal/terms/types.js';
import { openVolumeJournal } from '../../simulator/replica-site/journal/volume-journal.js';

import { MemoryDisk } from '../property/journal-memory-disk.js';

export const SIZE_BYTES = 64 * 1024;
export const BLOCK_BYTES = 4096;
export const DIRECTORY = '/volume';

export function open(disk: MemoryDisk, options: Partial<JournalOptions> = {}): Promise<VolumeJournal> {
  return openVolumeJournal({ directory: DIRECTORY, sizeBytes: SIZE_BYTES, files: disk, ...options });
}

/** A write of one block filled with `fill`. */
export function write(n: number, block: number, fill: number, session = 1): NewRecord {
  const data = Buffer.alloc(BLOCK_BYTES, fill);
  return { kind: 'write', session, n, epoch: 1, timeMs: 1_000 + n, offset: block * BLOCK_BYTES, data };
}

/**
 * A volume with `count` applied writes, in turn to its first four blocks. Write n fills its block
 * with n. The process was killed then.
 */
export async function killedVolume(count: number, options: Partial<JournalOptions> = {}): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const journal = await open(disk, options);
  for (let n = 1; n <= count; n += 1) journal.append([write(n, n % 4, n)]);
  await journal.whenApplied(count);
  disk.dieAfter(-1, 0);
  disk.revive();
  return disk;
}
