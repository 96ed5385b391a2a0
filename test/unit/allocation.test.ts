// How the parts of a disk become the extents that NBD clients are told.
import { expect, test } from 'vitest';
import { Allocation } from '../../nbd/meta-context.js';
import { extentsOf } from '../../simulator/disk/allocation.js';

const HOLE = Allocation.hole + Allocation.zero;
const MIB = 1024 * 1024;

test('a small piece of a large hole belongs to it', () => {
  const parts = [
    { length: MIB, isHole: false },
    { length: MIB - 64, isHole: true },
    { length: 64, isHole: true },
    { length: MIB, isHole: true },
    { length: MIB, isHole: false },
  ];
  expect(extentsOf(parts)).toEqual([
    { length: MIB, flags: 0 },
    { length: 2 * MIB, flags: HOLE },
    { length: MIB, flags: 0 },
  ]);
});

test('a small hole between data is told as data, at the ends as it is', () => {
  const parts = [
    { length: 4096, isHole: true },
    { length: MIB, isHole: false },
    { length: 4096, isHole: true },
    { length: MIB, isHole: false },
    { length: 4096, isHole: true },
  ];
  expect(extentsOf(parts)).toEqual([
    { length: 4096, flags: HOLE },
    { length: 2 * MIB + 4096, flags: 0 },
    { length: 4096, flags: HOLE },
  ]);
});
