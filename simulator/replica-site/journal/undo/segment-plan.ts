// Finds the records of an UNDO segment that must be kept: those that hold the first old content of
// any byte since a retained position.
import { corrupt } from '../terms/errors.js';
import { NO_SOURCE } from '../ranges/extent-leaf.js';
import type { ExtentMap } from '../ranges/extent-map.js';
import type { Files } from '../terms/files.js';
import { RECORD_HEADER_BYTES, coveredBytes, payloadBytes } from '../segments/record-format.js';
import type { RecordHeader } from '../segments/record-format.js';
import { scanRecords } from '../segments/scan.js';
import { SEGMENT_HEADER_BYTES } from '../segments/segment-format.js';
import type { Segment } from '../segments/segment-log.js';

/**
 * Bytes read in one turn of the event loop: at most 2048 headers, a few milliseconds with one
 * search each.
 */
const WINDOW_BYTES = 128 * 1024;

/** A part of the segment to keep: bytes of the file as they are, or some ranges of one record. */
export type KeptPart =
  | { readonly kind: 'bytes'; readonly from: number; to: number }
  | { readonly kind: 'record'; readonly fileOffset: number; readonly ranges: readonly VolumeRange[] };

export interface VolumeRange {
  readonly offset: number;
  readonly length: number;
}

export interface SegmentPlan {
  readonly segment: Segment;
  /** Bytes of the segment's file when the plan was made. */
  readonly bytes: number;
  readonly parts: readonly KeptPart[];
  /** Bytes that the parts will take in the new file. */
  readonly keptBytes: number;
}

/** The bytes of the volume covered so far in the present interval between retained positions. */
export interface IntervalCoverage {
  /**
   * Moves to the interval of a position, forgetting the coverage of earlier ones. `needed` is false
   * before the first retained position.
   */
  enter(position: number): { readonly needed: boolean; readonly extents: ExtentMap };
}

/** A plan that keeps everything, made without reading the segment. */
export function planToKeepAll(segment: Segment): SegmentPlan {
  const { bytes } = segment;
  const parts = bytes > SEGMENT_HEADER_BYTES ? [{ kind: 'bytes' as const, from: SEGMENT_HEADER_BYTES, to: bytes }] : [];
  return { segment, bytes, parts, keptBytes: bytes - SEGMENT_HEADER_BYTES };
}

/**
 * Plans a segment, adding what its records cover to `coverage`.
 * @throws JournalError CORRUPT
 */
export async function planSegment(files: Files, segment: Segment, coverage: IntervalCoverage): Promise<SegmentPlan> {
  const { bytes } = segment;
  const parts: KeptPart[] = [];
  let keptBytes = 0;
  const range = { from: SEGMENT_HEADER_BYTES, to: bytes, payloads: false, windowBytes: WINDOW_BYTES };
  let position = segment.firstPosition;
  const { at, fault } = await scanRecords(files, segment.path, range, (header, fileOffset) => {
    ({ position } = header);
    const kept = keptPart(header, fileOffset, coverage);
    if (kept === undefined) return;
    keptBytes += partBytes(kept, header);
    const before = parts.at(-1);
    if (before?.kind === 'bytes' && kept.kind === 'bytes' && before.to === kept.from) before.to = kept.to;
    else parts.push(kept);
  });
  if (fault !== undefined) throw corrupt('damaged UNDO record', { file: segment.path, offset: at, position });
  return { segment, bytes, parts, keptBytes };
}

function keptPart(header: RecordHeader, fileOffset: number, coverage: IntervalCoverage): KeptPart | undefined {
  const length = coveredBytes(header);
  const { needed, extents } = coverage.enter(header.position);
  if (!needed || length === 0) return undefined;
  const ranges = uncovered(extents, header.offset, header.offset + length);
  for (const { offset, length } of ranges) extents.cover(offset, offset + length, NO_SOURCE);
  if (ranges.length === 0) return undefined;
  const whole: KeptPart = {
    kind: 'bytes',
    from: fileOffset,
    to: fileOffset + RECORD_HEADER_BYTES + payloadBytes(header),
  };
  if (ranges.length === 1 && ranges[0]?.length === length) return whole;
  const part: KeptPart = { kind: 'record', fileOffset, ranges };
  // Headers of many small ranges may take more bytes than the ranges save.
  return partBytes(part, header) < partBytes(whole, header) ? part : whole;
}

function partBytes(part: KeptPart, header: RecordHeader): number {
  if (part.kind === 'bytes') return part.to - part.from;
  const data = header.kind === 'oldData' ? part.ranges.reduce((sum, range) => sum + range.length, 0) : 0;
  return part.ranges.length * RECORD_HEADER_BYTES + data;
}

function uncovered(extents: ExtentMap, start: number, end: number): readonly VolumeRange[] {
  const ranges: VolumeRange[] = [];
  let at = start;
  for (const extent of extents.within(start, end)) {
    if (extent.start > at) ranges.push({ offset: at, length: extent.start - at });
    at = extent.end;
  }
  if (at < end) ranges.push({ offset: at, length: end - at });
  return ranges;
}
