// Writes an ext4 file system's blocks as its kernel does: first a transaction into the file
// system's own journal (jbd2), then in place. So every state that a crash can leave is one that
// e2fsck's replay brings to a whole transaction. Format: the kernel's include/linux/jbd2.h.
import type { NbdClient } from '../../nbd/nbd-client.js';

export const FS_BLOCK_BYTES = 4096;

const MAGIC = 0xc03b_3998;
const BLOCK_TYPE = { descriptor: 1, commit: 2, superblockV2: 4 } as const;
const HEADER_BYTES = 12;
const TAG_BYTES = 8;
const UUID_BYTES = 16;
const TAG_FLAG = { escaped: 1, sameUuid: 2, last: 8 } as const;
const TAGS_MAX = Math.floor((FS_BLOCK_BYTES - HEADER_BYTES - UUID_BYTES) / TAG_BYTES);
/** Offsets in the journal's superblock. */
const AT = { maxLength: 16, first: 20, sequence: 24, start: 28, incompatible: 40, uuid: 48 } as const;
/**
 * Offset in block 0 of the incompatible features in the file system's own superblock,
 * little-endian.
 */
const INCOMPATIBLE_FEATURES_AT = 1024 + 0x60;
const NEEDS_RECOVERY = 0x4;

export class Jbd2Journal {
  readonly #disk: NbdClient;
  /** Blocks of the journal on the disk, by their place in the journal. */
  readonly #blocks: readonly number[];
  readonly #superblock: Buffer;
  readonly #maxLength: number;
  readonly #first: number;
  #next: number;
  #sequence: number;

  private constructor(disk: NbdClient, blocks: readonly number[], superblock: Buffer) {
    this.#disk = disk;
    this.#blocks = blocks;
    this.#superblock = superblock;
    this.#maxLength = superblock.readUInt32BE(AT.maxLength);
    this.#first = superblock.readUInt32BE(AT.first);
    this.#next = this.#first;
    this.#sequence = superblock.readUInt32BE(AT.sequence);
  }

  /**
   * Mounts it: from now on the file system says that it needs recovery.
   * @param blocks of the journal's inode, in order
   * @throws Error when the journal has features that are not written here, or is not empty
   */
  static async mount(disk: NbdClient, blocks: readonly number[]): Promise<Jbd2Journal> {
    const [first = 0] = blocks;
    const superblock = await disk.read(first * FS_BLOCK_BYTES, FS_BLOCK_BYTES);
    if (superblock.readUInt32BE(0) !== MAGIC || superblock.readUInt32BE(4) !== BLOCK_TYPE.superblockV2)
      throw new Error('There is no journal where the file system says it is.');
    if (superblock.readUInt32BE(AT.incompatible) !== 0 || superblock.readUInt32BE(AT.start) !== 0)
      throw new Error('The journal is not empty, or has features.');
    await disk.write(0, needingRecovery(await disk.read(0, FS_BLOCK_BYTES)));
    return new Jbd2Journal(disk, blocks, superblock);
  }

  /**
   * Each write is issued only after the one before was acknowledged.
   * @param changes by block; all or nothing after a crash
   */
  async commit(changes: ReadonlyMap<number, Buffer>): Promise<void> {
    if (changes.size > TAGS_MAX || changes.size + 2 > this.#maxLength - this.#first)
      throw new Error(`${changes.size} blocks are too many for one transaction.`);
    const targets = [...changes].map(([block, data]) => [block, block === 0 ? needingRecovery(data) : data] as const);
    await this.#writeSuperblock(this.#next);
    await this.#append(this.#descriptor(targets));
    for (const [, data] of targets) await this.#append(escaped(data));
    await this.#append(header(BLOCK_TYPE.commit, this.#sequence));
    for (const [block, data] of targets) await this.#disk.write(block * FS_BLOCK_BYTES, data);
    this.#sequence += 1;
  }

  /** Unmounts it. @param block0 of the file system as it is to stay */
  async unmount(block0: Buffer): Promise<void> {
    await this.#writeSuperblock(0);
    await this.#disk.write(0, block0);
  }

  async #writeSuperblock(start: number): Promise<void> {
    this.#superblock.writeUInt32BE(this.#sequence, AT.sequence);
    this.#superblock.writeUInt32BE(start, AT.start);
    await this.#disk.write(this.#offsetOf(0), this.#superblock);
  }

  async #append(data: Buffer): Promise<void> {
    await this.#disk.write(this.#offsetOf(this.#next), data);
    this.#next = this.#next + 1 < this.#maxLength ? this.#next + 1 : this.#first;
  }

  #descriptor(targets: readonly (readonly [number, Buffer])[]): Buffer {
    const descriptor = header(BLOCK_TYPE.descriptor, this.#sequence);
    let at = HEADER_BYTES;
    for (const [i, [block, data]] of targets.entries()) {
      const flags =
        (data.readUInt32BE(0) === MAGIC ? TAG_FLAG.escaped : 0) |
        (i > 0 ? TAG_FLAG.sameUuid : 0) |
        (i === targets.length - 1 ? TAG_FLAG.last : 0);
      descriptor.writeUInt32BE(block, at);
      descriptor.writeUInt16BE(flags, at + 6);
      at += TAG_BYTES;
      if (i > 0) continue;
      this.#superblock.copy(descriptor, at, AT.uuid, AT.uuid + UUID_BYTES);
      at += UUID_BYTES;
    }
    return descriptor;
  }

  #offsetOf(place: number): number {
    const block = this.#blocks[place];
    if (block === undefined) throw new Error(`The journal has no block ${place}.`);
    return block * FS_BLOCK_BYTES;
  }
}

function header(type: number, sequence: number): Buffer {
  const block = Buffer.alloc(FS_BLOCK_BYTES);
  block.writeUInt32BE(MAGIC, 0);
  block.writeUInt32BE(type, 4);
  block.writeUInt32BE(sequence, 8);
  return block;
}

/** Data that looks like a block of the journal is told apart by a flag in its tag. */
function escaped(data: Buffer): Buffer {
  if (data.readUInt32BE(0) !== MAGIC) return data;
  const copy = Buffer.from(data);
  copy.writeUInt32BE(0, 0);
  return copy;
}

function needingRecovery(block0: Buffer): Buffer {
  const copy = Buffer.from(block0);
  copy.writeUInt32LE(copy.readUInt32LE(INCOMPATIBLE_FEATURES_AT) | NEEDS_RECOVERY, INCOMPATIBLE_FEATURES_AT);
  return copy;
}
