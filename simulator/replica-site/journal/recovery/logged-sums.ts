// What redo needs from UNDO: checksums of blocks overwritten in part, and which bytes were not zero
// before they were overwritten.
import { crc32 } from 'node:zlib';
import { decodeEdgeSums } from '../segments/edge-sums.js';
import type { EdgeSum } from '../segments/edge-sums.js';
import type { Files } from '../terms/files.js';
import { RECORD_HEADER_BYTES } from '../segments/record-format.js';
import type { RecordHeader } from '../segments/record-format.js';
import type { UndoLoss } from './recovered-segments.js';
import { scanRecords } from '../segments/scan.js';
import { SEGMENT_HEADER_BYTES } from '../segments/segment-format.js';
import type { Segment } from '../segments/segment-log.js';
import { unlessGivenUp } from '../files/unreadable.js';
import type { ByteRange } from '../terms/damage.js';

const nothing: readonly ByteRange[] = [];

export class LoggedSums {
  readonly #files: Files;
  readonly #edges = new Map<number, readonly EdgeSum[]>();
  readonly #unknown = new Set<number>();
  #knownFrom = 0;
  readonly #overwritten = new Map<number, ByteRange[]>();

  constructor(files: Files) {
    this.#files = files;
  }

  /** Reads the UNDO of positions from `from` on. `isKnown` says what could be read. */
  async collect(segments: readonly Segment[], from: number, loss: UndoLoss | undefined): Promise<void> {
    this.#knownFrom = loss === undefined ? 0 : loss.before + 1;
    const rest = loss?.rest;
    for (const segment of segments) {
      if (segment.lastPosition < from || segment.consolidated !== undefined) continue;
      const { path, bytes } = segment;
      const start = rest?.segment.path === path ? rest.at : SEGMENT_HEADER_BYTES;
      let last = segment.firstPosition;
      const range = { from: start, to: bytes, payloads: false };
      const { fault } = await scanRecords(this.#files, path, range, (header, fileOffset) => {
        last = header.position;
        if (header.position < from) return;
        if (header.kind === 'edgeSums') this.#add(path, header, fileOffset);
        else if (header.kind === 'oldData' || header.kind === 'oldDamaged') this.#addOverwritten(header);
      });
      if (fault !== undefined) this.#knownFrom = Math.max(this.#knownFrom, segment.lastPosition + 1, last + 1);
    }
  }

  /** Whether all UNDO of a position could be read. */
  isKnown(position: number): boolean {
    return position >= this.#knownFrom && !this.#unknown.has(position);
  }

  /** The checksum of a block once the record of a position is in the replica image. */
  at(position: number, block: number): number | undefined {
    return this.#edges.get(position)?.findLast((edge) => edge.block === block)?.sum;
  }

  /** Bytes that were not zero before the record of a position was applied. */
  overwrittenAt(position: number): readonly ByteRange[] {
    return this.#overwritten.get(position) ?? nothing;
  }

  #addOverwritten({ position, offset, length }: RecordHeader): void {
    const known = this.#overwritten.get(position);
    if (known === undefined) this.#overwritten.set(position, [{ offset, length }]);
    else known.push({ offset, length });
  }

  #add(path: string, { position, length, payloadCrc }: RecordHeader, fileOffset: number): void {
    const payload = Buffer.alloc(length);
    const count = unlessGivenUp(() => this.#files.read(path, payload, fileOffset + RECORD_HEADER_BYTES)) ?? 0;
    if (count < length || crc32(payload) !== payloadCrc) {
      this.#unknown.add(position);
      return;
    }
    this.#edges.set(position, [...(this.#edges.get(position) ?? []), ...decodeEdgeSums(payload)]);
  }
}
