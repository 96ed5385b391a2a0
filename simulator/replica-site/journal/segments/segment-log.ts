// A log on disk, DO or UNDO: a list of segment files. Only the last one grows; whole ones are
// dropped from the front.
import { join } from 'node:path';
import type { Files } from '../terms/files.js';
import { SEGMENT_HEADER_BYTES, encodeSegmentHeader, segmentName } from './segment-format.js';
import type { SegmentHeader, SegmentKind } from './segment-format.js';

/**
 * One file of the log. It never changes once another follows it, but a rewritten file may replace
 * it.
 */
export interface Segment extends SegmentHeader {
  readonly path: string;
  readonly generation: number;
  /** Highest position that has a record in it. */
  readonly lastPosition: number;
  /** Bytes of the file. */
  readonly bytes: number;
}

/** Records written by one write call. */
export interface Group {
  readonly firstPosition: number;
  readonly lastPosition: number;
  /** Whether its first record continues a position whose earlier records are already written. */
  readonly continued: boolean;
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
}

interface GrowingSegment extends Segment {
  lastPosition: number;
  bytes: number;
}

export interface SegmentLogOptions {
  readonly files: Files;
  readonly directory: string;
  readonly kind: SegmentKind;
  readonly segmentBytes: number;
  readonly sync: boolean;
}

export class SegmentLog {
  readonly #options: SegmentLogOptions;
  #segments: GrowingSegment[];
  #nextSequence: number;
  /** Whether the next group begins a new segment. */
  #sealed: boolean;
  #bytes: number;
  #namesUnsynced = false;
  /**
   * A partly written group that could not be cut off a file. It must be cut off before the next
   * write.
   */
  #leftover: { readonly path: string; readonly bytes: number } | undefined;

  constructor(options: SegmentLogOptions, recovered: readonly Segment[]) {
    this.#options = options;
    this.#segments = recovered.map((segment) => ({ ...segment }));
    const last = this.#segments.at(-1);
    this.#nextSequence = last === undefined ? 1 : sequenceAfter(last);
    this.#sealed = last === undefined || last.synced !== options.sync || last.consolidated !== undefined;
    this.#bytes = recovered.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get first(): Segment | undefined {
    return this.#segments[0];
  }

  /** The segment that the next group may be appended to; undefined if it begins a new one. */
  get growing(): Segment | undefined {
    return this.#sealed ? undefined : this.#segments.at(-1);
  }

  /** Bytes of all its files. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes left in the growing segment, or in a new one if fewer than `atLeast` are left. */
  room(atLeast: number): number {
    const growing = this.growing;
    const left = growing === undefined ? 0 : this.#options.segmentBytes - growing.bytes;
    return left >= atLeast ? left : this.#options.segmentBytes - SEGMENT_HEADER_BYTES;
  }

  after(segment: Segment): Segment | undefined {
    return this.#segments.find((other) => other.sequence === segment.sequence + 1);
  }

  /**
   * Writes a group at the end; begins a new segment if it doesn't fit. Returns where its first byte
   * went. After a failure the log is as before, and the next group takes the same place.
   */
  append(group: Group): { readonly segment: Segment; readonly fileOffset: number } {
    let segment = this.#sealed ? undefined : this.#segments.at(-1);
    if (segment === undefined || segment.bytes + group.bytes > this.#options.segmentBytes) {
      segment = this.#newSegment(group);
      this.#write(segment.path, [encodeSegmentHeader(segment), ...group.parts], 0);
      segment.bytes = SEGMENT_HEADER_BYTES;
      this.#begin(segment);
    } else {
      this.#write(segment.path, group.parts, segment.bytes);
    }
    const fileOffset = segment.bytes;
    segment.bytes += group.bytes;
    segment.lastPosition = group.lastPosition;
    this.#bytes += group.bytes;
    return { segment, fileOffset };
  }

  /**
   * Makes appended groups survive a power cut; does nothing without sync. It is called after each
   * group, so only the last segment needs it.
   */
  async commit(): Promise<void> {
    const { files, directory, sync } = this.#options;
    const last = this.#segments.at(-1);
    if (!sync || last === undefined) return;
    await files.datasync(last.path);
    if (!this.#namesUnsynced) return;
    await files.syncDirectory(directory);
    this.#namesUnsynced = false;
  }

  /** Makes the next group begin a new segment. */
  seal(): void {
    this.#sealed = true;
  }

  /** Takes the first `count` segments out of the log and returns them. Their files stay. */
  shift(count: number): readonly Segment[] {
    const gone = this.#segments.splice(0, count);
    if (this.#segments.length === 0) this.#sealed = true;
    for (const segment of gone) this.#bytes -= segment.bytes;
    return gone;
  }

  /**
   * Puts one segment in the place of neighbouring ones, none of which may grow. Their files stay.
   */
  replace(sources: readonly Segment[], segment: Segment): void {
    const start = this.#segments.findIndex((one) => one === sources[0]);
    if (start === -1) throw new RangeError(`segment ${segment.path} replaces none of the log`);
    for (const source of sources) this.#bytes -= source.bytes;
    this.#segments.splice(start, sources.length, { ...segment });
    this.#bytes += segment.bytes;
  }

  /**
   * Writes, and cuts off what a failed write left: a partial group would look like damage once
   * something follows it.
   */
  #write(path: string, parts: readonly Uint8Array[], at: number): void {
    const { files } = this.#options;
    if (this.#leftover !== undefined) this.#cutOff(this.#leftover);
    try {
      files.write(path, parts, at);
    } catch (error) {
      this.#leftover = { path, bytes: at };
      try {
        this.#cutOff(this.#leftover);
      } catch {
        // The next write begins by cutting it off.
      }
      throw error;
    }
  }

  #cutOff({ path, bytes }: { readonly path: string; readonly bytes: number }): void {
    const { files } = this.#options;
    if (files.size(path) !== undefined) {
      if (bytes === 0) files.remove(path);
      else files.truncate(path, bytes);
    }
    this.#leftover = undefined;
  }

  #begin(segment: GrowingSegment): void {
    this.#nextSequence += 1;
    this.#sealed = false;
    this.#namesUnsynced = true;
    this.#segments.push(segment);
    this.#bytes += SEGMENT_HEADER_BYTES;
  }

  #newSegment(group: Group): GrowingSegment {
    const { directory, kind, sync } = this.#options;
    const sequence = this.#nextSequence;
    return {
      kind,
      sequence,
      synced: sync,
      continued: group.continued,
      consolidated: undefined,
      generation: 0,
      firstPosition: group.firstPosition,
      lastPosition: group.firstPosition,
      path: join(directory, segmentName(kind, sequence)),
      bytes: 0,
    };
  }
}

/** The sequence number that follows a segment. */
export function sequenceAfter({ sequence, consolidated }: SegmentHeader): number {
  return sequence + (consolidated?.spans ?? 1);
}
