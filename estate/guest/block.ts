// A guest's block identifies itself: the guest, the write and the place. So any copy of a disk can
// be checked without the guest.

/** Bytes of one write; also its alignment. */
export const GUEST_BLOCK_BYTES = 4096;
const WORDS = GUEST_BLOCK_BYTES / 4;
/** "vmGB", little-endian. */
const MAGIC = 0x42476d76;
/** Header words: magic, seed, sequence, block; the words after them are pseudo-random. */
const HEADER_WORDS = 4;
const WORD_MAX = 0xffff_ffff;
const ZEROES = Buffer.alloc(GUEST_BLOCK_BYTES);

export interface BlockIdentity {
  /** Seed of the guest, 32 bits. */
  readonly seed: number;
  /** Number of the guest's write: 1, 2, 3 …; 32 bits. */
  readonly sequence: number;
  /** Number of the block on the disk; 32 bits (16 TiB). */
  readonly block: number;
}

export type BlockContent =
  | { readonly kind: 'empty' }
  | { readonly kind: 'written'; readonly identity: BlockIdentity }
  | { readonly kind: 'foreign'; readonly why: string };

/** Fills `target`, which is exactly one block. */
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

/** Reads a block and checks it to the last byte. `source` is exactly one block. */
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

/** The first random word; never 0, where xorshift would stay. */
function firstState({ seed, sequence, block }: BlockIdentity): number {
  const mixed = Math.imul(seed, 0x9e37_79b1) ^ Math.imul(sequence, 0x85eb_ca6b) ^ Math.imul(block, 0xc2b2_ae35);
  return mixed >>> 0 || WORD_MAX;
}

/**
 * Marsaglia's xorshift32: a few nanoseconds a word, and its output neither compresses nor contains
 * pages of zeroes.
 */
function nextState(state: number): number {
  let next = state;
  next ^= next << 13;
  next ^= next >>> 17;
  next ^= next << 5;
  return next >>> 0;
}
