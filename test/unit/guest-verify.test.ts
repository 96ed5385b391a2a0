// The guest's verification: what it accepts as whole or consistent, and that it finds each way of
// being wrong.
import { expect, test } from 'vitest';
import { GUEST_BLOCK_BYTES, writeBlock } from '../../estate/guest/block.js';
import { verifyCut, verifyFinal } from '../../estate/guest/verify.js';
import { WriteLog } from '../../estate/guest/write-log.js';
import type { Chunk } from '../../nbd/read-ahead.js';

const SEED = 99;
const BLOCKS = 8;

/** A disk that holds these writes: by block, a sequence number. */
async function* disk(held: Readonly<Record<number, number>>, seed = SEED): AsyncGenerator<Chunk> {
  for (let block = 0; block < BLOCKS; block += 1) {
    const data = Buffer.alloc(GUEST_BLOCK_BYTES);
    const sequence = held[block];
    if (sequence !== undefined) writeBlock(data, { seed, sequence, block });
    yield await Promise.resolve({ offset: block * GUEST_BLOCK_BYTES, data });
  }
}

/** Writes to these blocks one after the other, each acknowledged before the next is issued. */
function oneByOne(...blocks: readonly number[]): WriteLog {
  const log = new WriteLog();
  for (const block of blocks) log.acknowledge(log.issue(block));
  return log;
}

test('a disk with the newest acknowledged write in every block is whole', async () => {
  const log = oneByOne(0, 1, 0);
  expect(await verifyFinal(disk({ 0: 3, 1: 2 }), SEED, log)).toMatchObject({ faults: 0, written: 2, blocks: BLOCKS });
});

test('an older write where a newer was acknowledged is a fault', async () => {
  const result = await verifyFinal(disk({ 0: 1, 1: 2 }), SEED, oneByOne(0, 1, 0));
  expect(result.described).toEqual(['block 0 holds write 1, not the newest acknowledged write 3']);
});

test('an acknowledged write that is not there at all is a fault', async () => {
  const result = await verifyFinal(disk({ 0: 1 }), SEED, oneByOne(0, 1));
  expect(result.described).toEqual(['block 1 holds no write of this guest, not the newest acknowledged write 2']);
});

test('the content of another guest, or of another block, is a fault', async () => {
  expect((await verifyFinal(disk({ 0: 1 }, 5), SEED, oneByOne(0))).faults).toBe(2);
  expect((await verifyCut(disk({ 3: 1 }), SEED, oneByOne(0))).described).toEqual([
    'block 3 holds the content of write 1 to block 3',
  ]);
});

test.each([
  ['before any write', {}],
  ['after the first write', { 0: 1 }],
  ['in the middle', { 0: 1, 1: 2 }],
  ['at the end', { 0: 3, 1: 2 }],
])('a prefix of writes made one after the other is a consistent cut: %s', async (_place, held) => {
  expect((await verifyCut(disk(held), SEED, oneByOne(0, 1, 0))).faults).toBe(0);
});

test('a cut with a write but without one acknowledged before it was issued is a fault', async () => {
  const result = await verifyCut(disk({ 0: 3 }), SEED, oneByOne(0, 1, 0));
  expect(result.described).toEqual([
    'block 1 holds no write of this guest: write 2, acknowledged before write 3 was issued, is missing although write 3 is there',
  ]);
});

test('a cut may have either of two writes that were under way at once, or both', async () => {
  const log = new WriteLog();
  const [first, second] = [log.issue(0), log.issue(1)];
  log.acknowledge(first);
  log.acknowledge(second);
  for (const held of [{}, { 0: 1 }, { 1: 2 }, { 0: 1, 1: 2 }]) {
    expect((await verifyCut(disk(held), SEED, log)).faults).toBe(0);
  }
});

test('a write that was never acknowledged may not be in a cut once the guest has stopped', async () => {
  const log = new WriteLog();
  log.issue(0);
  expect((await verifyCut(disk({ 0: 1 }), SEED, log)).described).toEqual([
    'block 0 holds write 1, which was never acknowledged',
  ]);
});
