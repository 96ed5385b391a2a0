// Reads the DO journal of a folder: which records can be applied, and which are damaged or missing.
import type { ByteRange, DamagePlace } from '../terms/damage.js';
import { coveredBytes, payloadBytes, RECORD_HEADER_BYTES } from '../segments/record-format.js';
import type { RecordHeader } from '../segments/record-format.js';
import { SEGMENT_HEADER_BYTES, parseSegmentName } from '../segments/segment-format.js';
import { checkSegment, listSegments } from './recovered-segments.js';
import type { RecoveryFolder } from './recovered-segments.js';
import type { Segment } from '../segments/segment-log.js';

/** Most ranges noted one by one; more of them count as the whole volume. */
const RANGES_MAX = 16 * 1024;

type RecordVisit = (header: RecordHeader, segment: Segment, fileOffset: number) => void;

interface DoPlace {
  readonly segment: Segment;
  readonly at: number;
}

/** Sound records without a gap between them. */
export interface DoRun {
  readonly from: number;
  readonly to: number;
  readonly start: DoPlace;
  readonly end: DoPlace;
}

/** Damaged or missing records. `ranges` are known if only payloads are damaged. */
export interface DoGap {
  readonly from: number;
  readonly to: number;
  readonly ranges: readonly ByteRange[] | undefined;
  readonly place: DamagePlace;
}

export interface RecoveredDo {
  readonly segments: readonly Segment[];
  readonly runs: readonly DoRun[];
  readonly gaps: readonly DoGap[];
  /**
   * Bytes of the volume that sound records after the first gap cover; undefined if the ranges are
   * too many.
   */
  readonly afterGap: readonly { readonly position: number; readonly range: ByteRange }[] | undefined;
  readonly first: number | undefined;
  readonly last: RecordHeader | undefined;
  /**
   * Upper bound of the positions in the DO files: an unreadable end counts as headers only. A tail
   * that was cut off is not counted (isCutOff).
   */
  readonly seenUpTo: number;
  /** A tail that looked like one being written was cut off: how many records it held is unknown. */
  readonly isCutOff: boolean;
}

/** Checks every record, and visits the sound ones in order. */
export async function recoverDo(folder: RecoveryFolder, visit: RecordVisit): Promise<RecoveredDo> {
  const listed = listSegments(folder, 'do');
  const reader = new DoReader(folder, visit);
  const segments: Segment[] = [];
  // DO is never rewritten: what is not listed was removed as unfinished.
  let isCutOff = folder.names.filter((name) => parseSegmentName(name)?.kind === 'do').length > listed.length;
  for (const [index, { segment }] of listed.entries()) {
    const checked = await checkSegment(folder, segment, index === listed.length - 1, reader);
    if ((checked?.bytes ?? SEGMENT_HEADER_BYTES) < segment.bytes) isCutOff = true;
    if (checked !== undefined) segments.push(checked);
  }
  return { ...reader.finish(segments), isCutOff };
}

class DoReader {
  readonly #folder: RecoveryFolder;
  readonly #visit: RecordVisit;
  readonly #runs: { from: number; to: number; start: DoPlace; end: DoPlace }[] = [];
  readonly #gaps: DoGap[] = [];
  #afterGap: { readonly position: number; readonly range: ByteRange }[] | undefined = [];
  #isInRun = false;
  /** The position that must come next. */
  #expected: number | undefined;
  #place: DamagePlace | undefined;
  #first: number | undefined;
  #last: RecordHeader | undefined;
  #seenUpTo = 0;
  /** Whether records are out of order from here on: none of them is used. */
  #isBroken = false;

  constructor(folder: RecoveryFolder, visit: RecordVisit) {
    this.#folder = folder;
    this.#visit = visit;
  }

  onRecord(header: RecordHeader, segment: Segment, fileOffset: number): void {
    const { position } = header;
    this.#seenUpTo = Math.max(this.#seenUpTo, position);
    const base = this.#folder.manifest.sessions.base(header.session);
    const isKnown = base !== undefined && base + header.n === position;
    if (!this.#goesOnTo(position, segment, fileOffset) || !isKnown) {
      if (!this.#isBroken) this.#gap(position, position, undefined, segment, fileOffset);
      return;
    }
    const end = { segment, at: fileOffset + RECORD_HEADER_BYTES + payloadBytes(header) };
    const run = this.#isInRun ? this.#runs.at(-1) : undefined;
    if (run === undefined) this.#runs.push({ from: position, to: position, start: { segment, at: fileOffset }, end });
    else Object.assign(run, { to: position, end });
    this.#isInRun = true;
    this.#first ??= position;
    this.#last = header;
    this.#expected = position + 1;
    if (this.#gaps.length > 0) this.#noteRange(header);
    this.#visit(header, segment, fileOffset);
  }

  onBadPayload(header: RecordHeader, segment: Segment, fileOffset: number): void {
    const { position, offset } = header;
    this.#seenUpTo = Math.max(this.#seenUpTo, position);
    if (!this.#goesOnTo(position, segment, fileOffset)) return;
    const length = coveredBytes(header);
    this.#gap(position, position, length === 0 ? [] : [{ offset, length }], segment, fileOffset);
  }

  onGap(segment: Segment, fileOffset: number, next: { readonly position: number } | undefined): void {
    this.#isInRun = false;
    this.#place ??= { file: segment.path, offset: fileOffset };
    const from = this.#expected ?? Math.max(1, segment.firstPosition);
    this.#expected ??= from;
    if (next !== undefined) return;
    const upTo = from - 1 + Math.max(1, Math.floor((segment.bytes - fileOffset) / RECORD_HEADER_BYTES));
    this.#seenUpTo = Math.max(this.#seenUpTo, upTo);
  }

  finish(segments: readonly Segment[]): Omit<RecoveredDo, 'isCutOff'> {
    if (this.#place !== undefined && this.#expected !== undefined) {
      const to = Math.max(this.#seenUpTo, this.#expected);
      this.#gaps.push({ from: this.#expected, to, ranges: undefined, place: this.#place });
    }
    return {
      segments,
      runs: this.#runs,
      gaps: this.#gaps,
      afterGap: this.#afterGap,
      first: this.#first,
      last: this.#last,
      seenUpTo: this.#seenUpTo,
    };
  }

  /** Notes what is missing before a position. False if the record can't be used. */
  #goesOnTo(position: number, segment: Segment, fileOffset: number): boolean {
    if (this.#isBroken) return false;
    const expected = this.#expected;
    if (expected !== undefined && position < expected) {
      this.#isBroken = true;
      this.#isInRun = false;
      this.#place ??= { file: segment.path, offset: fileOffset };
      return false;
    }
    const isNext = expected === undefined || this.#folder.manifest.positionBefore(position) < expected;
    if (!isNext) this.#gap(expected, position - 1, undefined, segment, fileOffset);
    this.#place = undefined;
    return true;
  }

  #gap(from: number, to: number, ranges: readonly ByteRange[] | undefined, segment: Segment, fileOffset: number): void {
    this.#gaps.push({ from, to, ranges, place: this.#place ?? { file: segment.path, offset: fileOffset } });
    this.#isInRun = false;
    this.#expected = to + 1;
  }

  #noteRange(header: RecordHeader): void {
    const length = coveredBytes(header);
    if (length === 0) return;
    this.#afterGap?.push({ position: header.position, range: { offset: header.offset, length } });
    if ((this.#afterGap?.length ?? 0) > RANGES_MAX) this.#afterGap = undefined;
  }
}
