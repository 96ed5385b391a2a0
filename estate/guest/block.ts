// A guest's block says what it is: who wrote it, with which write, and where. So any copy of a disk
// can be checked without the guest.

/** Bytes of one write, and its alignment. */
export const GUEST_BLOCK_BYTES = 4096;
const WORDS = GUEST_BLOCK_BYTES / 4;
/** "vmGB", little-endian. */
const MAGIC = 0x42476d76;
/** Words: magic, seed, sequence, block; pseudo-random ones from there on. */
const HEADER_WORDS = 4;
const WORD_MAX = 0xffff_ffff;
const ZEROES = Buffer.alloc(GUEST_BLOCK_BYTES);

export interface BlockIdentity {
  /** Of the guest, 32 bits. */
  readonly seed: number;
  /** The guest's write, 1, 2, 3 …; 32 bits. */
  readonly sequence: number;
  /** Number of the block on the disk; 32 bits (16 TiB). */
  readonly block: number;
}

export type BlockContent =
  | { readonly kind: 'empty' }
  | { readonly kind: 'written'; readonly identity: BlockIdentity }
  | { readonly kind: 'foreign'; readonly why: string };

/** Fills the block's bytes. `target` is exactly one block. */
export function writeBlock(target: Buffer, { seed, sequence, block }: BlockIdentity): void {
  target.writeUInt32LE(MAGIC, 0);
  target.writeUInt32LE(seed, 4);
  target.writeUInt32LE(sequence, 8);
  target.writeUInt32LE(block, 12);
  let state = firstState({ seed, sequence, block });
  for (let word = HEADER_WORDS; word < WORDS; word += 1) {
    state = nextState(state);
    target.writeUInt32LE(state, word * 4);
  }
}

/** What a block's bytes say, checked to the last byte. `source` is exactly one block. */
export function readBlock(source: Buffer): BlockContent {
  if (source.readUInt32LE(0) !== MAGIC) {
    return source.equals(ZEROES) ? { kind: 'empty' } : { kind: 'foreign', why: 'not written by a guest' };
  }
  const identity = { seed: source.readUInt32LE(4), sequence: source.readUInt32LE(8), block: source.readUInt32LE(12) };
  let state = firstState(identity);
  for (let word = HEADER_WORDS; word < WORDS; word += 1) {
    state = nextState(state);
    if (source.readUInt32LE(word * 4) !== state) {
      return { kind: 'foreign', why: `torn or corrupt from byte ${word * 4} of write ${identity.sequence}` };
    }
  }
  return { kind: 'written', identity };
}

/** Never 0, where xorshift would stay. */
function firstState({ seed, sequence, block }: BlockIdentity): number {
  const mixed = Math.imul(seed, 0x9e37_79b1) ^ Math.imul(sequence, 0x85eb_ca6b) ^ Math.imul(block, 0xc2b2_ae35);
  return mixed >>> 0 || WORD_MAX;
}

/**
 * Marsaglia's xorshift32: a few nanoseconds a word, and no compressor or page of zeroes looks like
 * it.
 */
function nextState(state: number): number {
  let next = state;
  next ^= next << 13;
  next ^= next >>> 17;
  next ^= next << 5;
  return next >>> 0;
}
