// Finds the segments of a journal in its folder and checks them; the tail of the last one may be torn, nothing else.
import { join } from 'node:path';
import { corrupt } from './errors.js';
import type { Files } from './files.js';
import { laterGroupFollows } from './later-group.js';
import type { RecordHeader } from './record-format.js';
import { scanRecords } from './scan.js';
import type { ScanEnd } from './scan.js';
import { SEGMENT_HEADER_BYTES, decodeSegmentHeader, isUnfinishedName, parseSegmentName } from './segment-format.js';
import type { SegmentHeader, SegmentKind, SegmentName } from './segment-format.js';
import { sequenceAfter } from './segment-log.js';
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
  const listed = listSegments(folder, 'do');
  assertContinuous(listed);
  for (const [index, segment] of listed.entries()) {
    const isLast = index === listed.length - 1;
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
 * All UNDO segments after `trimPosition`; the records of the last one are checked and visited. Those before it never
 * change any more and are checked whenever an image reads them. Removes what trims and consolidation left behind.
 * @throws JournalError CORRUPT
 */
export async function recoverUndo(
  folder: RecoveryFolder,
  trimPosition: number,
  visit: RecordVisitor,
): Promise<readonly Segment[]> {
  const listed = listSegments(folder, 'undo');
  const segments = listed.map((segment, index) => {
    const next = listed[index + 1];
    if (next === undefined || segment.consolidated !== undefined) return segment;
    return { ...segment, lastPosition: next.continued ? next.firstPosition : next.firstPosition - 1 };
  });
  let isLast = true;
  for (let last = segments.pop(); last !== undefined; last = segments.pop()) {
    // A consolidated one was whole before it got its name, and holds nothing that isn't applied.
    const checked = last.consolidated === undefined ? await checkSegment(folder, last, isLast, visit) : last;
    if (checked !== undefined) {
      segments.push(checked);
      break;
    }
    isLast = false;
  }
  const first = segments.findIndex((segment) => segment.lastPosition > trimPosition);
  const trimmed = segments.splice(0, first === -1 ? segments.length : first);
  for (const segment of trimmed) folder.files.remove(segment.path);
  assertContinuous(segments);
  return segments;
}

/** Segments in order; a last one that was never finished being made is removed, and those that others stand for. */
function listSegments(folder: RecoveryFolder, kind: SegmentKind): readonly Segment[] {
  const { files, directory, log } = folder;
  for (const name of folder.names) if (isUnfinishedName(name) && isOf(name, kind)) files.remove(join(directory, name));
  const candidates = folder.names.flatMap((name) => {
    const parsed = parseSegmentName(name);
    return parsed?.kind === kind ? [{ name: parsed, path: join(directory, name) }] : [];
  });
  // What is written anew stands for all that earlier generations of its sequence numbers held.
  candidates.sort((one, other) => order(one.name, other.name));
  const segments: Segment[] = [];
  let covered = 0;
  const listed = candidates.filter(({ name, path }) => {
    if (name.sequence < covered) {
      log?.info({ file: path }, 'removed a segment that was written anew');
      files.remove(path);
      return false;
    }
    const header = readHeader(files, path);
    covered = header === undefined ? name.sequence + 1 : sequenceAfter(header);
    return true;
  });
  for (const [index, { name, path }] of listed.entries()) {
    const bytes = files.size(path) ?? 0;
    const header = readHeader(files, path);
    if (header !== undefined && isNamed(header, name)) {
      const { consolidated, firstPosition } = header;
      const lastPosition = consolidated?.lastPosition ?? firstPosition;
      segments.push({
        ...header,
        generation: name.generation,
        path,
        bytes: consolidated?.bytes ?? bytes,
        lastPosition,
      });
      continue;
    }
    if (index < listed.length - 1 || name.generation > 0 || !isUnfinished(files, path, bytes)) {
      throw corrupt('damaged segment header', { file: path, offset: 0, position: 0 });
    }
    log?.warn({ file: path, bytes }, 'removed a segment that was being made when the process ended');
    files.remove(path);
  }
  return segments;
}

function isOf(name: string, kind: SegmentKind): boolean {
  return name.startsWith(kind);
}

function order(one: SegmentName, other: SegmentName): number {
  return one.sequence - other.sequence || other.generation - one.generation;
}

function isNamed(header: SegmentHeader, { kind, sequence, generation }: SegmentName): boolean {
  const consolidated = header.consolidated !== undefined;
  return header.kind === kind && header.sequence === sequence && consolidated === generation > 0;
}

function assertContinuous(segments: readonly Segment[]): void {
  segments.forEach((segment, index) => {
    const previous = segments[index - 1];
    if (previous !== undefined && segment.sequence !== sequenceAfter(previous)) {
      throw corrupt('missing segment before this one', { file: segment.path, offset: 0, position: 0 });
    }
  });
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
  /** Where sums stand that no old data follows yet. */
  let dangling: number | undefined;
  const range = { from: SEGMENT_HEADER_BYTES, to: bytes, payloads: true };
  const end = await scanRecords(files, path, range, (header, fileOffset) => {
    if (header.position !== (whole ? position + 1 : position)) {
      throw corrupt(`record of position ${header.position}`, {
        file: path,
        offset: fileOffset,
        position: position + 1,
      });
    }
    // Alone it says nothing of how far UNDO reaches: the group ended here only if it was torn.
    dangling = header.kind === 'edgeSums' ? (dangling ?? fileOffset) : undefined;
    if (dangling !== undefined) return;
    position = header.position;
    whole = header.last;
    visit(header, segment, fileOffset);
  });
  const fault = end.fault ?? (dangling === undefined ? undefined : 'short');
  if (fault !== undefined && (!isLast || !isTorn(files, segment, { at: end.at, fault }))) {
    const expected = whole ? position + 1 : position;
    throw corrupt(`damaged record (${fault})`, { file: path, offset: end.at, position: expected });
  }
  const soundBytes = dangling ?? end.at;
  if (soundBytes === SEGMENT_HEADER_BYTES) {
    files.remove(path);
    return undefined;
  }
  if (fault !== undefined) {
    log?.warn({ file: path, from: soundBytes, bytes: bytes - soundBytes }, 'cut off a record that was being written');
    files.truncate(path, soundBytes);
  }
  return { ...segment, bytes: soundBytes, lastPosition: position };
}

/**
 * A killed process leaves a prefix of what it wrote, so a whole header or payload that fails its checksum was
 * damaged later. After a power cut anything may stand where the last group was; a later group is the proof against.
 */
function isTorn(files: Files, segment: Segment, end: ScanEnd): boolean {
  if (segment.synced) return !laterGroupFollows(files, segment.path, end.at, segment.bytes);
  return end.fault === 'short';
}
