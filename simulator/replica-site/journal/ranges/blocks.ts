// Blocks of the volume: the unit of the replica image's checksums and of the search for zeroes.

/** Bytes of a block: a file system's block, hence the unit of holes and of most guests' writes. */
export const BLOCK_BYTES = 4096;

export function blockOf(offset: number): number {
  return Math.floor(offset / BLOCK_BYTES);
}

/** The first byte of the block that `offset` lies in. */
export function blockStart(offset: number): number {
  return offset - (offset % BLOCK_BYTES);
}

/** The first start of a block at or after `offset`. */
export function blockCeiling(offset: number): number {
  return blockStart(offset + BLOCK_BYTES - 1);
}
