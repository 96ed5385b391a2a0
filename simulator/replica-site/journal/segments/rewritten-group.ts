// Rewrites the last group of a segment in place. If an earlier sync failed, only that brings the
// group to stable storage.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { JournalError } from '../terms/errors.js';
import type { Files } from '../terms/files.js';
import { scanRecords } from './scan.js';
import { SEGMENT_HEADER_BYTES, decodeSegmentHeader } from './segment-format.js';
import type { Segment } from './segment-log.js';

/** Bytes written in one turn of the event loop: less than a millisecond. */
const SLICE_BYTES = 512 * 1024;

/**
 * Rewrites and syncs the group at byte `start` of the file, and the segment's header if it is the
 * first group. The bytes stay the same, so a crash half-way does no harm.
 * @throws JournalError FAILED if the group, which was readable before, is lost: the next opening
 * cuts it off
 */
export async function rewriteLastGroup(files: Files, segment: Segment, start: number): Promise<void> {
  const { path, bytes: end } = segment;
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  files.read(path, header, 0);
  // A header that was damaged before is no new loss: the records tell what the segment holds.
  const wasSound = decodeSegmentHeader(header) !== undefined;
  const slice = Buffer.allocUnsafe(Math.min(SLICE_BYTES, end));
  for (let at = start <= SEGMENT_HEADER_BYTES ? 0 : start; at < end; at += slice.length) {
    const bytes = slice.subarray(0, Math.min(slice.length, end - at));
    files.read(path, bytes, at);
    files.write(path, [bytes], at);
    await nextTurn();
  }
  await files.datasync(path);
  // The page cache may have dropped the group since it was checked. What the disk holds now stays.
  files.read(path, header, 0);
  const { fault } = await scanRecords(files, path, { from: start, to: end, payloads: true }, () => undefined);
  if (fault !== undefined || (wasSound && decodeSegmentHeader(header) === undefined)) throw neverReachedTheDisk(path);
}

/** The next opening cuts it off. */
export function neverReachedTheDisk(path: string): JournalError {
  return new JournalError('FAILED', `what was written last to ${path} never reached the disk`);
}
