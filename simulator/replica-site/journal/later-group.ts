// Tells a torn tail from a damaged record after a power cut, where pages of the last group may be lost in any order.
import type { Files } from './files.js';
import { RECORD_HEADER_BYTES, decodeRecordHeader } from './record-format.js';

/**
 * True if the file holds a record of a group that began after byte `at`: a group is written only once the one
 * before it is synced, so whatever stood at `at` was synced, and reported.
 */
export function laterGroupFollows(files: Files, path: string, at: number, fileBytes: number): boolean {
  const rest = Buffer.alloc(fileBytes - at);
  files.read(path, rest, at);
  for (let start = 1; start + RECORD_HEADER_BYTES <= rest.length; start += 1) {
    const header = decodeRecordHeader(rest, start);
    if (header !== undefined && start > header.groupDistance) return true;
  }
  return false;
}
