// Writes the last group of a segment again, in its place: the only way to stable storage for what
// an earlier sync failed to bring there.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { JournalError } from '../terms/errors.js';
import type { Files } from '../terms/files.js';
import { scanRecords } from './scan.js';
import { SEGMENT_HEADER_BYTES, decodeSegmentHeader } from './segment-format.js';
import type { Segment } from './segment-log.js';

/** Bytes written in one slice of the event loop: less than a millisecond. */
const SLICE_BYTES = 512 * 1024;

/**
 * The group begins at byte `start` of the file; where the segment begins with it, the segment's
 * header is written too. The bytes stay the same, so a crash half-way does no harm.
 * @throws JournalError FAILED when the group, which was read before, is gone: the next opening cuts
 * it off
 */
export async function rewriteLastGroup(files: Files, segment: Segment, start: number): Promise<void> {
  const { path, bytes: end } = segment;
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  files.read(path, header, 0);
  // One that was damaged before is known to be, and its records tell what the segment holds.
  const wasSound = decodeSegmentHeader(header) !== undefined;
  const slice = Buffer.allocUnsafe(Math.min(SLICE_BYTES, end));
  for (let at = start <= SEGMENT_HEADER_BYTES ? 0 : start; at < end; at += slice.length) {
    const bytes = slice.subarray(0, Math.min(slice.length, end - at));
    files.read(path, bytes, at);
    files.write(path, [bytes], at);
    await nextTurn();
  }
  await files.datasync(path);
  // The page cache may have let go of it since it was checked. What is on the disk now can't change
  // any more.
  files.read(path, header, 0);
  const { fault } = await scanRecords(files, path, { from: start, to: end, payloads: true }, () => undefined);
  if (fault !== undefined || (wasSound && decodeSegmentHeader(header) === undefined)) throw neverReachedTheDisk(path);
}

/** The next opening cuts it off. */
export function neverReachedTheDisk(path: string): JournalError {
  return new JournalError('FAILED', `what was written last to ${path} never reached the disk`);
}
