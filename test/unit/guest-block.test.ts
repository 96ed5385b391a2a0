// The guest's blocks: each says which write it is, and a change of any byte shows.
import { expect, test } from 'vitest';
import { GUEST_BLOCK_BYTES, readBlock, writeBlock } from '../../estate/guest/block.js';

const identity = { seed: 0xdead_beef, sequence: 4_000_000_000, block: 17 };

function written(): Buffer {
  const block = Buffer.alloc(GUEST_BLOCK_BYTES);
  writeBlock(block, identity);
  return block;
}

test('a block that was written says who wrote it, with which write, and where', () => {
  expect(readBlock(written())).toEqual({ kind: 'written', identity });
});

test('a block of zeroes is empty', () => {
  expect(readBlock(Buffer.alloc(GUEST_BLOCK_BYTES))).toEqual({ kind: 'empty' });
});

test.each([0, 5, 8, 15, 16, 100, 2048, 4095])('a block whose byte %i changed is not taken for a guest’s', (at) => {
  const block = written();
  block[at] = (block[at] ?? 0) ^ 1;
  expect(readBlock(block).kind).toBe('foreign');
});

test('a block that is half of one write and half of another is torn', () => {
  const other = Buffer.alloc(GUEST_BLOCK_BYTES);
  writeBlock(other, { ...identity, sequence: 7 });
  const torn = Buffer.concat([written().subarray(0, 2048), other.subarray(2048)]);
  expect(readBlock(torn)).toEqual({ kind: 'foreign', why: 'torn or corrupt from byte 2048 of write 4000000000' });
});
