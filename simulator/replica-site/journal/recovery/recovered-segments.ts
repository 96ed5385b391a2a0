// Finds the segments of a journal in its folder and checks them. Cuts off a torn tail of the last
// one, and tells damaged parts from sound ones, so that the sound ones can be used.
import { join } from 'node:path';
import type { DamagePlace } from '../terms/damage.js';
import type { Files } from '../terms/files.js';
import { hasLostSector, laterGroupFollows } from '../segments/later-group.js';
import type { Manifest } from '../manifest/manifest.js';
import { RECORD_HEADER_BYTES, decodeRecordHeader, payloadBytes } from '../segments/record-format.js';
import type { RecordHeader } from '../segments/record-format.js';
import { findSoundRest, scanRecords } from '../segments/scan.js';
import type { ScanEnd } from '../segments/scan.js';
import {
  SEGMENT_HEADER_BYTES,
  decodeSegmentHeader,
  isUnfinishedName,
  parseSegmentName,
} from '../segments/segment-format.js';
import type { SegmentHeader, SegmentKind, SegmentName } from '../segments/segment-format.js';
import { sequenceAfter } from '../segments/segment-log.js';
import type { Segment } from '../segments/segment-log.js';
import type { JournalLog } from '../terms/types.js';
import { unlessGivenUp } from '../files/unreadable.js';
import { isZero } from '../ranges/zeroes.js';

/** Spans of a consolidated segment whose header is damaged: unknown. */
const UNKNOWN_SPANS = 0;

export interface RecoveryFolder {
  readonly files: Files;
  readonly directory: string;
  readonly names: readonly string[];
  readonly manifest: Manifest;
  readonly log: JournalLog | undefined;
  /** Segment files in which the check finds damage, whether anything needs those parts or not. */
  readonly damaged: Set<string>;
}

/** A record with a sound header and a damaged payload. */
export interface BadPayload {
  readonly header: RecordHeader;
  readonly file: string;
  readonly fileOffset: number;
}

/** A segment file. If its header is damaged, its name and first record say what it is. */
interface Listed {
  readonly name: SegmentName;
  readonly segment: Segment;
  readonly isHeaderDamaged: boolean;
}

/** Segments in order. Removes an unfinished last one and those that a rewrite replaced. */
export function listSegments(folder: RecoveryFolder, kind: SegmentKind): readonly Listed[] {
  const { files, directory, log } = folder;
  for (const name of folder.names) if (isUnfinishedName(name) && isOf(name, kind)) files.remove(join(directory, name));
  const candidates = folder.names.flatMap((name) => {
    const parsed = parseSegmentName(name);
    return parsed?.kind === kind ? [{ name: parsed, path: join(directory, name) }] : [];
  });
  // A rewritten segment replaces all segments with the sequence numbers that it spans.
  candidates.sort((one, other) => order(one.name, other.name));
  let covered = 0;
  const current = candidates.filter(({ name, path }) => {
    if (name.sequence < covered) {
      log?.info({ file: path }, 'removed a segment that was written anew');
      files.remove(path);
      return false;
    }
    const header = readHeader(files, path);
    covered = header === undefined || !isNamed(header, name) ? name.sequence + 1 : sequenceAfter(header);
    return true;
  });
  return current.flatMap(({ name, path }, index) => {
    const bytes = files.size(path) ?? 0;
    const header = readHeader(files, path);
    if (header === undefined && index === current.length - 1 && isUnfinished(files, path, bytes)) {
      log?.warn({ file: path, bytes }, 'removed a segment that was being made when the process ended');
      files.remove(path);
      return [];
    }
    const isHeaderDamaged = header === undefined || !isNamed(header, name);
    const known = isHeaderDamaged ? headerOfRecords(files, path, name) : header;
    if (isHeaderDamaged)
      log?.warn({ file: path }, 'the header of a segment is damaged; its records tell what it holds');
    const { consolidated, firstPosition } = known;
    const segment = {
      ...known,
      generation: name.generation,
      path,
      bytes: consolidated?.bytes ?? bytes,
      lastPosition: consolidated?.lastPosition ?? firstPosition,
    };
    return [{ name, segment, isHeaderDamaged }];
  });
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

function readHeader(files: Files, path: string): SegmentHeader | undefined {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const count = unlessGivenUp(() => files.read(path, bytes, 0)) ?? 0;
  return count < bytes.length ? undefined : decodeSegmentHeader(bytes);
}

/** Makes up a header from the name and the first record; position 0 if that is damaged too. */
function headerOfRecords(files: Files, path: string, name: SegmentName): SegmentHeader {
  const { kind, sequence, generation } = name;
  const firstPosition = readRecordHeader(files, path, SEGMENT_HEADER_BYTES)?.position ?? 0;
  const base = { kind, sequence, synced: false, continued: false, firstPosition };
  if (generation === 0) return { ...base, consolidated: undefined };
  // How many segments it replaced and where it ends is unknown: it joins no other, and all UNDO
  // before it is given up.
  const spans = UNKNOWN_SPANS;
  const signature = { intervalStart: -1, positionsWithin: 0 };
  return { ...base, consolidated: { spans, lastPosition: firstPosition, bytes: files.size(path) ?? 0, signature } };
}

export function readRecordHeader(files: Files, path: string, at: number): RecordHeader | undefined {
  const bytes = Buffer.alloc(RECORD_HEADER_BYTES);
  const count = unlessGivenUp(() => files.read(path, bytes, at)) ?? 0;
  return count < bytes.length ? undefined : decodeRecordHeader(bytes, 0);
}

/**
 * Whether the header was never written whole: the process was killed before, or a power cut lost
 * the header's page and nothing after it was synced.
 */
function isUnfinished(files: Files, path: string, bytes: number): boolean {
  if (bytes < SEGMENT_HEADER_BYTES) return true;
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const count = unlessGivenUp(() => files.read(path, header, 0));
  return count !== undefined && isZero(header) && !laterGroupFollows(files, path, SEGMENT_HEADER_BYTES, bytes);
}

/** Receives what a segment holds, in order. */
export interface SegmentVisitor {
  onRecord(header: RecordHeader, segment: Segment, fileOffset: number): void;
  onBadPayload(header: RecordHeader, segment: Segment, fileOffset: number): void;
  /** Records are missing before `next`; if `next` is undefined, up to the segment's end. */
  onGap(
    segment: Segment,
    fileOffset: number,
    next: { readonly position: number; readonly at: number } | undefined,
  ): void;
}

/**
 * Visits all records of a segment, and cuts a torn tail off the last segment. The answer's `bytes`
 * end with the last usable record. Undefined if no record is left and the file was removed.
 */
export async function checkSegment(
  folder: RecoveryFolder,
  segment: Segment,
  isLast: boolean,
  visitor: SegmentVisitor,
): Promise<Segment | undefined> {
  const { files, log, manifest, damaged } = folder;
  const { path, bytes, firstPosition } = segment;
  let position = segment.continued ? firstPosition : firstPosition - 1;
  let whole = !segment.continued;
  /** Byte of checksums that no old data follows yet. */
  let dangling: number | undefined;
  let from = SEGMENT_HEADER_BYTES;
  let soundBytes = from;
  let isTornOff = false;
  const onRecord = (header: RecordHeader, fileOffset: number): void => {
    const expected = whole ? position + 1 : position;
    const follows = header.position === expected || manifest.positionBefore(header.position) <= position;
    if (!follows) visitor.onGap(segment, fileOffset, { position: header.position, at: fileOffset });
    // Checksums alone don't say how far UNDO reaches: if the group ends with them, it is torn.
    dangling = header.kind === 'edgeSums' ? (dangling ?? fileOffset) : undefined;
    if (dangling !== undefined) return;
    position = header.position;
    whole = header.last;
    visitor.onRecord(header, segment, fileOffset);
  };
  for (;;) {
    const end = await scanRecords(files, path, { from, to: bytes, payloads: true }, onRecord);
    const fault = end.fault ?? (dangling === undefined ? undefined : 'short');
    soundBytes = dangling ?? end.at;
    if (fault === undefined) break;
    if (isLast && isTorn(files, segment, { at: end.at, fault })) {
      isTornOff = true;
      break;
    }
    damaged.add(path);
    const bad = fault === 'payload' ? readRecordHeader(files, path, end.at) : undefined;
    if (bad !== undefined) {
      dangling = bad.kind === 'edgeSums' ? (dangling ?? end.at) : undefined;
      if (dangling === undefined) ({ position, last: whole } = bad);
      visitor.onBadPayload(bad, segment, end.at);
      from = end.at + RECORD_HEADER_BYTES + payloadBytes(bad);
      soundBytes = from;
      continue;
    }
    const range = { from: soundBytes, to: bytes, payloads: false };
    const rest = await findSoundRest(files, path, range, { first: position, last: Infinity });
    visitor.onGap(segment, soundBytes, rest);
    dangling = undefined;
    if (rest === undefined) break;
    from = rest.at;
    // Whether the position has earlier records is unknown.
    position = rest.position;
    whole = false;
  }
  if (soundBytes === SEGMENT_HEADER_BYTES && isTornOff) {
    files.remove(path);
    return undefined;
  }
  if (isTornOff) {
    log?.warn({ file: path, from: soundBytes, bytes: bytes - soundBytes }, 'cut off a record that was being written');
    files.truncate(path, soundBytes);
  }
  if (soundBytes === SEGMENT_HEADER_BYTES && bytes === SEGMENT_HEADER_BYTES) {
    files.remove(path);
    return undefined;
  }
  return { ...segment, bytes: soundBytes, lastPosition: Math.max(position, 0) };
}

/**
 * Whether the end is a torn tail, not damage. A killed process leaves a prefix of what it wrote, so
 * a whole header or payload that fails its checksum was damaged later. After a power cut the last
 * group's bytes may be anything; a later group proves that it was synced.
 */
function isTorn(files: Files, segment: Segment, end: ScanEnd): boolean {
  if (end.fault === 'unreadable') return false;
  if (!segment.synced) return end.fault === 'short';
  const isCut = end.fault === 'short' || hasLostSector(files, segment.path, end.at, segment.bytes);
  return isCut && !laterGroupFollows(files, segment.path, end.at, segment.bytes);
}

/**
 * UNDO before a position is useless: records are missing, and nobody knows which bytes they
 * covered.
 */
export interface UndoLoss {
  readonly before: number;
  readonly place: DamagePlace;
  /** The segment that the loss ends in, and the place where its sound rest begins. */
  readonly rest: { readonly segment: Segment; readonly at: number; readonly position: number } | undefined;
}

export interface RecoveredUndo {
  /** Usable segments: those after the loss, if there is one. */
  readonly segments: readonly Segment[];
  readonly loss: UndoLoss | undefined;
  /** Set if the end of UNDO is unreadable: it held records up to this position at most. */
  readonly unknownUpTo: number | undefined;
  readonly bad: readonly BadPayload[];
  /** Paths of files that are useless now. */
  readonly unused: readonly string[];
}

/**
 * Finds all usable UNDO segments after the trim position. It checks and visits the records of the
 * last one; the others never change, and are checked when an image reads them. It removes files
 * that trims left.
 */
export async function recoverUndo(
  folder: RecoveryFolder,
  visit: (header: RecordHeader, segment: Segment, fileOffset: number) => void,
): Promise<RecoveredUndo> {
  const { files, manifest } = folder;
  const listed = [...listSegments(folder, 'undo')];
  const { segments, torn } = await joined(folder, listed);
  const bad: BadPayload[] = [];
  let loss: UndoLoss | undefined;
  let unknownUpTo: number | undefined;
  const visitor: SegmentVisitor = {
    onRecord: visit,
    onBadPayload: (header, segment, fileOffset) => {
      bad.push({ header, file: segment.path, fileOffset });
      if (header.kind !== 'edgeSums') visit(header, segment, fileOffset);
    },
    onGap: (segment, fileOffset, next) => {
      const place = { file: segment.path, offset: fileOffset };
      if (next === undefined) unknownUpTo = Math.floor((segment.bytes - fileOffset) / RECORD_HEADER_BYTES);
      else loss = { before: next.position, place, rest: { segment, ...next } };
    },
  };
  const kept: Segment[] = [];
  const unused: string[] = [];
  let isLast = true;
  for (let last = segments.pop(); last !== undefined; last = segments.pop()) {
    if (last.consolidated?.spans === UNKNOWN_SPANS) {
      unused.push(last.path);
      isLast = false;
      continue;
    }
    // A consolidated segment was whole before it got its name, and holds only applied records.
    const checked = last.consolidated === undefined ? await checkSegment(folder, last, isLast, visitor) : last;
    if (unknownUpTo !== undefined && checked !== undefined) {
      unknownUpTo += checked.lastPosition;
      unused.push(last.path, ...segments.map(({ path }) => path));
      const place = { file: last.path, offset: checked.bytes };
      return { segments: [], loss: { before: unknownUpTo, place, rest: undefined }, unknownUpTo, bad, unused };
    }
    isLast = false;
    if (checked === undefined) continue;
    kept.push(checked);
    if (loss?.rest !== undefined) loss = { ...loss, rest: { ...loss.rest, segment: checked } };
    break;
  }
  // From the newest to the oldest, while each adjoins the one after it.
  for (let older = segments.pop(); older !== undefined; older = segments.pop()) {
    const next = kept[0];
    const adjoins = next !== undefined && sequenceAfter(older) === next.sequence && !torn.has(older.path);
    if (loss === undefined && next !== undefined && !adjoins) {
      loss = { before: beginning(manifest, next), place: { file: next.path, offset: 0 }, rest: undefined };
    }
    if (loss === undefined) kept.unshift(older);
    else unused.push(older.path);
  }
  const first = kept.findIndex((segment) => segment.lastPosition > manifest.trimPosition);
  const trimmed = kept.splice(0, first === -1 ? kept.length : first);
  for (const segment of trimmed) files.remove(segment.path);
  if (loss !== undefined && loss.before <= manifest.trimPosition) loss = undefined;
  if (loss === undefined) {
    for (const path of unused.splice(0)) files.remove(path);
    const [oldest] = kept;
    if (oldest !== undefined && beginning(manifest, oldest) > manifest.trimPosition) {
      loss = { before: beginning(manifest, oldest), place: { file: oldest.path, offset: 0 }, rest: undefined };
    }
  }
  return { segments: kept, loss, unknownUpTo: undefined, bad, unused };
}

/** The oldest position whose image needs no UNDO before the segment. */
function beginning(manifest: Manifest, { continued, firstPosition }: Segment): number {
  return continued ? firstPosition : manifest.positionBefore(firstPosition);
}

/**
 * Sets each segment's last position: from the header of the segment after it, or else by a scan.
 * @returns also the paths of scanned segments that lack records before the segment after them
 */
async function joined(
  folder: RecoveryFolder,
  listed: readonly Listed[],
): Promise<{ readonly segments: Segment[]; readonly torn: ReadonlySet<string> }> {
  const segments: Segment[] = [];
  const torn = new Set<string>();
  for (const [index, { segment, isHeaderDamaged }] of listed.entries()) {
    const next = listed[index + 1];
    const follows = next !== undefined && next.segment.sequence === sequenceAfter(segment);
    if (next === undefined) {
      segments.push(isHeaderDamaged ? (await withScannedEnd(folder, segment)).segment : segment);
    } else if (segment.consolidated !== undefined && !isHeaderDamaged) {
      segments.push(segment);
    } else if (follows && !next.isHeaderDamaged && segment.consolidated === undefined) {
      segments.push({ ...segment, lastPosition: beginning(folder.manifest, next.segment) });
    } else {
      const scanned = await withScannedEnd(folder, segment);
      segments.push(scanned.segment);
      if (follows && !reaches(scanned, next.segment, folder.manifest)) torn.add(segment.path);
    }
  }
  const ordered = segments.map((segment, index) => {
    const before = segments[index - 1];
    if (listed[index]?.isHeaderDamaged !== true || before === undefined) return segment;
    return { ...segment, continued: before.lastPosition === segment.firstPosition };
  });
  return { segments: ordered, torn };
}

interface ScannedSegment {
  readonly segment: Segment;
  /** Whether its last record is also the last of that position. */
  readonly isWhole: boolean;
  /** Whether its end, or a record on the way there, can't be read. */
  readonly isDamaged: boolean;
}

/**
 * Whether the segment's records reach up to the next segment. If the next one doesn't tell where it
 * begins, no image gets past its damaged first record.
 */
function reaches({ segment, isWhole, isDamaged }: ScannedSegment, next: Segment, manifest: Manifest): boolean {
  if (next.firstPosition === 0) return true;
  if (isDamaged) return false;
  const { lastPosition } = segment;
  return isWhole ? manifest.positionBefore(next.firstPosition) <= lastPosition : next.firstPosition === lastPosition;
}

/** Sets the last position from the segment's own records. */
async function withScannedEnd({ files }: RecoveryFolder, segment: Segment): Promise<ScannedSegment> {
  let lastPosition = segment.firstPosition;
  let isWhole = true;
  const range = { from: SEGMENT_HEADER_BYTES, to: segment.bytes, payloads: false };
  const { fault } = await scanRecords(files, segment.path, range, ({ position, last }) => {
    lastPosition = position;
    isWhole = last;
  });
  const { consolidated } = segment;
  const scanned =
    consolidated === undefined
      ? { ...segment, lastPosition }
      : { ...segment, lastPosition, consolidated: { ...consolidated, lastPosition } };
  return { segment: scanned, isWhole, isDamaged: fault !== undefined };
}
