// The sums that UNDO notes of blocks overwritten in part: what redo gives back to the replica image's blocks.
import { crc32 } from 'node:zlib';
import { decodeEdgeSums } from './edge-sums.js';
import type { EdgeSum } from './edge-sums.js';
import { corrupt } from './errors.js';
import type { Files } from './files.js';
import { RECORD_HEADER_BYTES } from './record-format.js';
import type { RecordHeader } from './record-format.js';
import { scanRecords } from './scan.js';
import { SEGMENT_HEADER_BYTES } from './segment-format.js';
import type { Segment } from './segment-log.js';

export class LoggedSums {
  readonly #files: Files;
  readonly #edges = new Map<number, readonly EdgeSum[]>();

  constructor(files: Files) {
    this.#files = files;
  }

  /** Reads what UNDO notes of positions from `from` on. @throws JournalError CORRUPT */
  async collect(segments: readonly Segment[], from: number): Promise<void> {
    for (const segment of segments) {
      if (segment.lastPosition < from || segment.consolidated !== undefined) continue;
      const { path, bytes, firstPosition } = segment;
      let position = firstPosition;
      const range = { from: SEGMENT_HEADER_BYTES, to: bytes, payloads: false };
      const { at, fault } = await scanRecords(this.#files, path, range, (header, fileOffset) => {
        position = header.position;
        if (header.kind === 'edgeSums' && position >= from) this.#add(path, header, fileOffset);
      });
      if (fault !== undefined) throw corrupt('damaged UNDO record', { file: path, offset: at, position });
    }
  }

  /** The sum that a block has once the record of a position is in the replica image. */
  at(position: number, block: number): number | undefined {
    return this.#edges.get(position)?.findLast((edge) => edge.block === block)?.sum;
  }

  #add(path: string, { position, length, payloadCrc }: RecordHeader, fileOffset: number): void {
    const payload = Buffer.alloc(length);
    const count = this.#files.read(path, payload, fileOffset + RECORD_HEADER_BYTES);
    if (count < length || crc32(payload) !== payloadCrc) {
      throw corrupt('damaged UNDO record', { file: path, offset: fileOffset, position });
    }
    this.#edges.set(position, [...(this.#edges.get(position) ?? []), ...decodeEdgeSums(payload)]);
  }
}
