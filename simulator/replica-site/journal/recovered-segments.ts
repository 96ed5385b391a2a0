// Finds the segments of a journal in its folder and checks them; the tail of the last one may be torn, nothing else.
import { join } from 'node:path';
import { corrupt } from './errors.js';
import type { Files } from './files.js';
import { laterGroupFollows } from './later-group.js';
import type { RecordHeader } from './record-format.js';
import { scanRecords } from './scan.js';
import type { ScanEnd } from './scan.js';
import { SEGMENT_HEADER_BYTES, decodeSegmentHeader, parseSegmentName } from './segment-format.js';
import type { SegmentHeader, SegmentKind } from './segment-format.js';
import type { Segment } from './segment-log.js';
import type { JournalLog } from './types.js';
import { isZero } from './zeroes.js';

export interface RecoveryFolder {
  readonly files: Files;
  readonly directory: string;
  readonly names: readonly string[];
  readonly log: JournalLog | undefined;
}

export type RecordVisitor = (header: RecordHeader, segment: Segment, fileOffset: number) => void;

/** All DO segments, every record checked and visited in order. @throws JournalError CORRUPT */
export async function recoverDo(folder: RecoveryFolder, visit: RecordVisitor): Promise<readonly Segment[]> {
  const segments: Segment[] = [];
  for (const { segment, isLast } of listSegments(folder, 'do')) {
    const before = segments.at(-1);
    if (before !== undefined && segment.firstPosition !== before.lastPosition + 1) {
      throw corrupt('missing DO records', { file: segment.path, offset: 0, position: before.lastPosition + 1 });
    }
    const checked = await checkSegment(folder, segment, isLast, visit);
    if (checked !== undefined) segments.push(checked);
  }
  return segments;
}

/**
 * All UNDO segments; the records of the last one are checked and visited. Those before it never change any more
 * and are checked whenever an image reads them. @throws JournalError CORRUPT
 */
export async function recoverUndo(folder: RecoveryFolder, visit: RecordVisitor): Promise<readonly Segment[]> {
  const listed = listSegments(folder, 'undo').map(({ segment }) => segment);
  const segments = listed.map((segment, index) => {
    const next = listed[index + 1];
    if (next === undefined) return segment;
    return { ...segment, lastPosition: next.continued ? next.firstPosition : next.firstPosition - 1 };
  });
  let isLast = true;
  for (let last = segments.pop(); last !== undefined; last = segments.pop()) {
    const checked = await checkSegment(folder, last, isLast, visit);
    if (checked !== undefined) return [...segments, checked];
    isLast = false;
  }
  return [];
}

interface ListedSegment {
  readonly segment: Segment;
  readonly isLast: boolean;
}

/** Segments in order; a last one that was never finished being made is removed. */
function listSegments(folder: RecoveryFolder, kind: SegmentKind): readonly ListedSegment[] {
  const sequences = folder.names
    .map(parseSegmentName)
    .filter((name) => name?.kind === kind)
    .map((name) => name?.sequence ?? 0)
    .sort((one, other) => one - other);
  return sequences.flatMap((sequence, index) => {
    const isLast = index === sequences.length - 1;
    const previous = sequences[index - 1];
    const path = join(folder.directory, folder.names.find((name) => isNameOf(name, kind, sequence)) ?? '');
    if (previous !== undefined && sequence !== previous + 1) {
      throw corrupt('missing segment before this one', { file: path, offset: 0, position: 0 });
    }
    const bytes = folder.files.size(path) ?? 0;
    const header = readHeader(folder.files, path);
    if (header === undefined || header.kind !== kind || header.sequence !== sequence) {
      if (!isLast || !isUnfinished(folder.files, path, bytes)) {
        throw corrupt('damaged segment header', { file: path, offset: 0, position: 0 });
      }
      folder.log?.warn({ file: path, bytes }, 'removed a segment that was being made when the process ended');
      folder.files.remove(path);
      return [];
    }
    return [{ segment: { ...header, path, bytes, lastPosition: header.firstPosition }, isLast }];
  });
}

function isNameOf(name: string, kind: SegmentKind, sequence: number): boolean {
  const parsed = parseSegmentName(name);
  return parsed?.kind === kind && parsed.sequence === sequence;
}

function readHeader(files: Files, path: string): SegmentHeader | undefined {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  return files.read(path, bytes, 0) < bytes.length ? undefined : decodeSegmentHeader(bytes);
}

/** Killed before the header was whole; or, after a power cut, the header's page was lost and nothing after it synced. */
function isUnfinished(files: Files, path: string, bytes: number): boolean {
  if (bytes < SEGMENT_HEADER_BYTES) return true;
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  files.read(path, header, 0);
  return isZero(header) && !laterGroupFollows(files, path, SEGMENT_HEADER_BYTES, bytes);
}

/** Checks all records; cuts a torn tail off the last segment. Undefined if no record is left, and the file is removed. */
async function checkSegment(
  folder: RecoveryFolder,
  segment: Segment,
  isLast: boolean,
  visit: RecordVisitor,
): Promise<Segment | undefined> {
  const { files, log } = folder;
  const { path, bytes, firstPosition } = segment;
  let position = segment.continued ? firstPosition : firstPosition - 1;
  let whole = !segment.continued;
  const range = { from: SEGMENT_HEADER_BYTES, to: bytes, payloads: true };
  const end = await scanRecords(files, path, range, (header, fileOffset) => {
    if (header.position !== (whole ? position + 1 : position)) {
      throw corrupt(`record of position ${header.position}`, {
        file: path,
        offset: fileOffset,
        position: position + 1,
      });
    }
    position = header.position;
    whole = header.last;
    visit(header, segment, fileOffset);
  });
  if (end.fault !== undefined && (!isLast || !isTorn(files, segment, end))) {
    const expected = whole ? position + 1 : position;
    throw corrupt(`damaged record (${end.fault})`, { file: path, offset: end.at, position: expected });
  }
  if (end.at === SEGMENT_HEADER_BYTES) {
    files.remove(path);
    return undefined;
  }
  if (end.fault !== undefined) {
    log?.warn({ file: path, from: end.at, bytes: bytes - end.at }, 'cut off a record that was being written');
    files.truncate(path, end.at);
  }
  return { ...segment, bytes: end.at, lastPosition: position };
}

/**
 * A killed process leaves a prefix of what it wrote, so a whole header or payload that fails its checksum was
 * damaged later. After a power cut anything may stand where the last group was; a later group is the proof against.
 */
function isTorn(files: Files, segment: Segment, end: ScanEnd): boolean {
  if (segment.synced) return !laterGroupFollows(files, segment.path, end.at, segment.bytes);
  return end.fault === 'short';
}
