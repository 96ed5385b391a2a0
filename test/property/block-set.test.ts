// The paged set of block numbers, held against a plain set, across the borders of its pages.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockSet } from '../../simulator/appliance/images/block-set.js';

const PAGE_BLOCKS = 32 * 1024;
const BLOCKS = 3 * PAGE_BLOCKS;

/** Near the borders of pages, where it is decided whether a page is full, empty or neither. */
const border = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: -3, max: 3 }))
  .map(([page, off]) => Math.min(BLOCKS, Math.max(0, page * PAGE_BLOCKS + off)));
const range = fc.tuple(border, border).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }));

test('ranges that are added and deleted leave what a plain set would have', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ add: fc.boolean(), range }), { minLength: 1, maxLength: 8 }),
      range,
      (changes, asked) => {
        const blocks = new BlockSet();
        const model = new Uint8Array(BLOCKS);
        for (const { add, range } of changes) {
          if (add) blocks.add(range.from, range.to);
          else blocks.delete(range.from, range.to);
          model.fill(add ? 1 : 0, range.from, range.to);
        }
        const places = Array.from({ length: 4 }, (_, page) => page * PAGE_BLOCKS).flatMap((at) =>
          [-4, -3, -2, -1, 0, 1, 2, 3, 4].map((off) => at + off),
        );
        for (const block of places) expect(blocks.has(block)).toBe(model[block] === 1);
        const missing = model.subarray(asked.from, asked.to).filter((present) => present === 0).length;
        expect(blocks.missing(asked.from, asked.to)).toBe(missing);
      },
    ),
    { numRuns: 60 },
  );
});
