// Counts the UNDO kept for each of some positions. Counts within a segment never change, so they
// are remembered.
import { corrupt } from '../terms/errors.js';
import type { Files } from '../terms/files.js';
import { countBefore } from '../terms/retained-positions.js';
import { scanRecords } from '../segments/scan.js';
import { SEGMENT_HEADER_BYTES } from '../segments/segment-format.js';
import type { Segment } from '../segments/segment-log.js';
import type { UndoLog } from './undo-log.js';

export class UndoBytes {
  readonly #files: Files;
  readonly #undo: UndoLog;
  /** Known counts by segment: bytes of its records up to a position within it. */
  readonly #known = new WeakMap<Segment, Map<number, number>>();

  constructor(files: Files, undo: UndoLog) {
    this.#files = files;
    this.#undo = undo;
  }

  /**
   * Bytes of UNDO records after each of the ascending positions, up to the next one or to the end.
   * @throws JournalError CORRUPT
   */
  async after(positions: readonly number[]): Promise<readonly number[]> {
    const totals = positions.map(() => 0);
    const extracts = this.#undo.extractsAfter(-1).map(({ segment, bytes }) => {
      return { segment, bytes, lastPosition: segment.lastPosition };
    });
    for (const { segment, bytes, lastPosition } of extracts) {
      const first = countBefore(positions, segment.firstPosition);
      const within = positions.slice(first, countBefore(positions, lastPosition));
      const counts = within.length === 0 ? undefined : await this.#countsAt(segment, bytes, within);
      let counted = 0;
      for (let index = first - 1; index < first + within.length; index += 1) {
        const isLast = index === first + within.length - 1;
        const next = positions[index + 1];
        const upTo = isLast || next === undefined ? bytes - SEGMENT_HEADER_BYTES : (counts?.get(next) ?? 0);
        if (index >= 0) totals[index] = (totals[index] ?? 0) + upTo - counted;
        counted = upTo;
      }
    }
    return totals;
  }

  async #countsAt(segment: Segment, bytes: number, within: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const known = this.#known.get(segment) ?? new Map<number, number>();
    if (within.every((position) => known.has(position))) return known;
    let next = 0;
    let last = segment.firstPosition - 1;
    const close = (position: number, fileOffset: number): void => {
      for (let edge = within[next]; edge !== undefined && edge < position; edge = within[next]) {
        known.set(edge, fileOffset - SEGMENT_HEADER_BYTES);
        next += 1;
      }
    };
    const range = { from: SEGMENT_HEADER_BYTES, to: bytes, payloads: false };
    const { at, fault } = await scanRecords(this.#files, segment.path, range, (header, fileOffset) => {
      last = header.position;
      close(last, fileOffset);
    });
    if (fault !== undefined)
      throw corrupt('damaged UNDO record', { file: segment.path, offset: at, position: last + 1 });
    close(Infinity, at);
    this.#known.set(segment, known);
    return known;
  }
}
