// The volume cut into blocks: what a checksum of the replica image covers, and what zeroes are
// looked for in.

/**
 * Bytes of a block: the file system's, what a hole is made of, and what most guests write at once.
 */
export const BLOCK_BYTES = 4096;

export function blockOf(offset: number): number {
  return Math.floor(offset / BLOCK_BYTES);
}

/** The first byte of the block that `offset` lies in. */
export function blockStart(offset: number): number {
  return offset - (offset % BLOCK_BYTES);
}

/** The first block's start at or after `offset`. */
export function blockCeiling(offset: number): number {
  return blockStart(offset + BLOCK_BYTES - 1);
}
