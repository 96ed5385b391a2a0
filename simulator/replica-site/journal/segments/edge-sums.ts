// Payload of an `edgeSums` record in UNDO: checksums, as they are afterwards, of the blocks that a
// record overwrites in part.
import { readSafeInteger, writeSafeInteger } from './record-format.js';

/** A block's checksum once a piece is in the replica image. */
export interface EdgeSum {
  readonly block: number;
  readonly sum: number;
}

const ENTRY_BYTES = 12;
const SUM_AT = 8;

export function encodeEdgeSums(edges: readonly EdgeSum[]): Buffer {
  const bytes = Buffer.alloc(edges.length * ENTRY_BYTES);
  edges.forEach(({ block, sum }, index) => {
    writeSafeInteger(bytes, block, index * ENTRY_BYTES);
    bytes.writeUInt32LE(sum, index * ENTRY_BYTES + SUM_AT);
  });
  return bytes;
}

export function decodeEdgeSums(bytes: Buffer): readonly EdgeSum[] {
  const edges: EdgeSum[] = [];
  for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
    edges.push({ block: readSafeInteger(bytes, at), sum: bytes.readUInt32LE(at + SUM_AT) });
  }
  return edges;
}
