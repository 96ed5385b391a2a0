// The splitter's own trace of writes (VOLUME_MOVER_TRACE=1), replayed up to a cut and held against
// a recovery point.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { WriteMark } from '../../contracts/attempt.js';
import type { Export } from '../../estate/compare.js';
import { withExport } from '../../estate/compare.js';
import { readAhead } from '../../nbd/read-ahead.js';

/** What a disk is replayed in: the guests of these tests write such blocks. */
const BLOCK_BYTES = 4096;
const ZERO_BLOCK_DIGEST = digest(Buffer.alloc(BLOCK_BYTES));

/** The hash of a block's content, by block; blocks that are missing hold zeroes. */
export type ReplayedDisk = ReadonlyMap<number, string>;

/**
 * The disk at a cut: the last hash of each block decides, so every traced write must be of whole,
 * single blocks.
 * @throws Error on a write of another shape
 */
export async function replayTrace(path: string, cut: WriteMark): Promise<ReplayedDisk> {
  const disk = new Map<number, string>();
  for (const line of (await readFile(path, 'utf8')).trimEnd().split('\n')) {
    const [session, n, , kind = '', offset, length, hash = ''] = line.split(' ');
    if (Number(session) > cut.session || (Number(session) === cut.session && Number(n) > cut.n)) continue;
    const [from, bytes] = [Number(offset), Number(length)];
    if (kind === 'initBegin' || kind === 'initEnd') continue;
    if (from % BLOCK_BYTES !== 0 || bytes % BLOCK_BYTES !== 0 || (kind === 'write' && bytes !== BLOCK_BYTES))
      throw new Error(`The trace can't be replayed by blocks of ${BLOCK_BYTES} bytes: ${line}`);
    for (let at = from; at < from + bytes; at += BLOCK_BYTES)
      disk.set(at / BLOCK_BYTES, kind === 'write' ? hash : ZERO_BLOCK_DIGEST);
  }
  return disk;
}

/** Blocks of the export that differ from the replayed disk, at most ten. */
export async function blocksUnlike(image: Export, disk: ReplayedDisk): Promise<number[]> {
  return await withExport(image, async (client) => {
    const unlike: number[] = [];
    for await (const { offset, data } of readAhead(client)) {
      for (let at = 0; at < data.length && unlike.length < 10; at += BLOCK_BYTES) {
        const block = (offset + at) / BLOCK_BYTES;
        if (digest(data.subarray(at, at + BLOCK_BYTES)) !== (disk.get(block) ?? ZERO_BLOCK_DIGEST)) unlike.push(block);
      }
    }
    return unlike;
  });
}

function digest(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
