// Tells a torn tail from a damaged record. A power cut may lose pages of the last group in any
// order.
import type { Files } from '../terms/files.js';
import { unlessGivenUp } from '../files/unreadable.js';
import { isZero } from '../ranges/zeroes.js';
import { RECORD_HEADER_BYTES, decodeRecordHeader } from './record-format.js';

/**
 * Bytes that a disk writes whole or not at all. Sectors of a grown file that it did not write are
 * zero.
 */
const SECTOR_BYTES = 512;

/**
 * True if a sector from byte `at` on was never written: a power cut leaves such, a flipped bit does
 * not. The part of a sector that the file ends with counts, too, even if it is a few bytes. A
 * record that is damaged and holds such zeroes itself looks the same: it is cut off in silence
 * here, and whoever was told of it notices (`knownPosition`, and what the splitter says when it
 * attaches).
 */
export function hasLostSector(files: Files, path: string, at: number, fileBytes: number): boolean {
  const rest = Buffer.alloc(fileBytes - at);
  const count = unlessGivenUp(() => files.read(path, rest, at)) ?? 0;
  for (let start = 0; start < count;) {
    const end = Math.min(count, start + SECTOR_BYTES - ((at + start) % SECTOR_BYTES));
    if (isZero(rest.subarray(start, end))) return true;
    start = end;
  }
  return false;
}

/**
 * Whether the file holds a record of a group that began after byte `at`. A group is written only
 * once the one before it is synced, so the bytes at `at` were synced, and reported. True too if the
 * rest is given up: it may hold such a record, and counts as damage.
 */
export function laterGroupFollows(files: Files, path: string, at: number, fileBytes: number): boolean {
  const rest = Buffer.alloc(fileBytes - at);
  if (unlessGivenUp(() => files.read(path, rest, at)) === undefined) return true;
  for (let start = 1; start + RECORD_HEADER_BYTES <= rest.length; start += 1) {
    const header = decodeRecordHeader(rest, start);
    if (header !== undefined && start > header.groupDistance) return true;
  }
  return false;
}
