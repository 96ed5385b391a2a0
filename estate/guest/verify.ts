// Checks a copy of a guest's disk against the guest's log: is it complete, and is it a state that
// the guest could have seen?
import type { Chunk } from '../../nbd/read-ahead.js';
import { GUEST_BLOCK_BYTES, readBlock } from './block.js';
import type { WriteLog } from './write-log.js';

/** Most faults described in sentences; all are counted. */
const FAULTS_DESCRIBED_MAX = 10;

export interface DiskCheck {
  readonly blocks: number;
  /** Blocks that hold a write. */
  readonly written: number;
  readonly faults: number;
  /** Sentences about the first faults. */
  readonly described: readonly string[];
}

/** A disk's content: for each block the sequence number of the write it holds. */
interface DiskContent {
  readonly blocks: number;
  readonly held: ReadonlyMap<number, number>;
}

/** Checks that every block holds its newest acknowledged write. For a guest that has stopped. */
export async function verifyFinal(chunks: AsyncIterable<Chunk>, seed: number, log: WriteLog): Promise<DiskCheck> {
  const faults = new Faults();
  const content = await readContent(chunks, seed, log, faults);
  for (const [block, sequence] of log.newestBefore(Number.POSITIVE_INFINITY)) {
    const held = content.held.get(block);
    if (held !== sequence)
      faults.add(`block ${block} holds ${nameOf(held)}, not the newest acknowledged write ${sequence}`);
  }
  return faults.result(content);
}

/**
 * Checks that every block holds an acknowledged write to it, and that together they are a state
 * that a crash could have left: every write acknowledged before a write in the cut was issued must
 * be in the cut too.
 */
export async function verifyCut(chunks: AsyncIterable<Chunk>, seed: number, log: WriteLog): Promise<DiskCheck> {
  const faults = new Faults();
  const content = await readContent(chunks, seed, log, faults);
  let newestIssueAt = 0;
  let newest = 0;
  for (const sequence of content.held.values()) {
    const write = log.get(sequence);
    if (write === undefined || write.issuedAt <= newestIssueAt) continue;
    newestIssueAt = write.issuedAt;
    newest = sequence;
  }
  for (const [block, sequence] of log.newestBefore(newestIssueAt)) {
    const held = content.held.get(block) ?? 0;
    if (held >= sequence) continue;
    const missing = `write ${sequence}, acknowledged before write ${newest} was issued, is missing`;
    faults.add(`block ${block} holds ${nameOf(held)}: ${missing} although write ${newest} is there`);
  }
  return faults.result(content);
}

async function readContent(
  chunks: AsyncIterable<Chunk>,
  seed: number,
  log: WriteLog,
  faults: Faults,
): Promise<DiskContent> {
  const held = new Map<number, number>();
  let blocks = 0;
  for await (const { offset, data } of chunks) {
    for (let at = 0; at + GUEST_BLOCK_BYTES <= data.length; at += GUEST_BLOCK_BYTES) {
      const block = (offset + at) / GUEST_BLOCK_BYTES;
      const sequence = checkBlock(data.subarray(at, at + GUEST_BLOCK_BYTES), block, seed, log, faults);
      if (sequence !== undefined) held.set(block, sequence);
      blocks += 1;
    }
  }
  return { blocks, held };
}

/**
 * The number of the write that a block holds; undefined when it is empty or not this guest's write
 * to this block. Adds a fault for foreign content and for a write that was never acknowledged.
 */
function checkBlock(bytes: Buffer, block: number, seed: number, log: WriteLog, faults: Faults): number | undefined {
  const content = readBlock(bytes);
  if (content.kind === 'empty') return undefined;
  if (content.kind === 'foreign') {
    faults.add(`block ${block} is ${content.why}`);
    return undefined;
  }
  const { identity } = content;
  const write = log.get(identity.sequence);
  if (identity.seed !== seed || identity.block !== block || write?.block !== block) {
    const whose =
      identity.seed === seed ? `write ${identity.sequence} to block ${identity.block}` : `guest ${identity.seed}`;
    faults.add(`block ${block} holds the content of ${whose}`);
    return undefined;
  }
  if (write.acknowledgedAt === Number.POSITIVE_INFINITY) {
    faults.add(`block ${block} holds write ${identity.sequence}, which was never acknowledged`);
  }
  return identity.sequence;
}

function nameOf(held: number | undefined): string {
  return held === undefined || held === 0 ? 'no write of this guest' : `write ${held}`;
}

class Faults {
  readonly #described: string[] = [];
  #count = 0;

  add(sentence: string): void {
    this.#count += 1;
    if (this.#described.length < FAULTS_DESCRIBED_MAX) this.#described.push(sentence);
  }

  result({ blocks, held }: DiskContent): DiskCheck {
    return { blocks, written: held.size, faults: this.#count, described: this.#described };
  }
}
