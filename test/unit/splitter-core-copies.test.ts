// The queue of copies against a plain list, and how volumes share memory.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Copy, CopyQueue, MemoryBudget, type WriteCopy } from '../../simulator/splitter/core/copies.js';
import { MemorySpill } from '../support/spill-files.js';

const KIB = 1024;

const write = (n: number, length: number): WriteCopy => ({
  kind: 'write',
  n,
  timeMs: n,
  offset: 0,
  length,
  data: Buffer.alloc(length, n % 251),
});

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      length: fc.integer({ min: 1, max: 40 * KIB }),
      maySpill: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('send' as const), upTo: fc.nat(100) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('confirm' as const), sent: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rewind' as const) }) },
);

test('copies are sent in order, each again after a rewind until it is confirmed, with their own data wherever it was kept', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const budget = new MemoryBudget(200 * KIB);
      const spill = new MemorySpill(100 * KIB);
      const queue = new CopyQueue(budget, spill, 128 * KIB);
      let lastN = 0;
      let confirmed = 0;
      let next = 1;
      const lengths = new Map<number, number>();
      for (const action of steps) {
        if (action.kind === 'push') {
          if (queue.push(write(lastN + 1, action.length), action.maySpill)) {
            lastN += 1;
            lengths.set(lastN, action.length);
          }
        } else if (action.kind === 'send') {
          const copy = queue.peek(action.upTo);
          expect(copy?.n).toBe(next <= Math.min(lastN, action.upTo) ? next : undefined);
          if (copy === undefined || copy.kind !== 'write') continue;
          const data = queue.dataOf(copy);
          expect(data.length).toBe(lengths.get(copy.n));
          expect(data.every((byte) => byte === copy.n % 251)).toBe(true);
          queue.advance();
          next += 1;
        } else if (action.kind === 'confirm') {
          const upTo = Math.min(action.sent, next - 1);
          const seen: number[] = [];
          queue.confirm(upTo, (copy: Copy) => seen.push(copy.n));
          expect(seen).toEqual(Array.from({ length: Math.max(0, upTo - confirmed) }, (_, i) => confirmed + 1 + i));
          confirmed = Math.max(confirmed, upTo);
        } else {
          queue.rewind();
          next = confirmed + 1;
        }
        const unconfirmed = Array.from({ length: lastN - confirmed }, (_, i) => confirmed + 1 + i);
        expect(queue.dataBytes).toBe(unconfirmed.reduce((sum, n) => sum + (lengths.get(n) ?? 0), 0));
        expect(queue.isEmpty).toBe(unconfirmed.length === 0);
        expect(budget.maxBytes - budget.freeBytes).toBeLessThanOrEqual(200 * KIB);
      }
      queue.confirm(lastN, () => {});
      expect(budget.freeBytes).toBe(budget.maxBytes);
      expect(spill.freeBytes).toBe(100 * KIB);
    }),
  );
});

test('volumes whose copies can not be sent leave room for all others', () => {
  const budget = new MemoryBudget(1024 * KIB);
  const stuck = [1, 2, 3, 4].map(() => new CopyQueue(budget, new MemorySpill(0), 1024 * KIB));
  for (let n = 1; n <= 1000; n += 1) for (const queue of stuck) queue.push(write(n, 4 * KIB), false);
  expect(budget.freeBytes).toBeGreaterThan(150 * KIB);
  const live = new CopyQueue(budget, new MemorySpill(0), 1024 * KIB);
  expect(live.push(write(1, 64 * KIB), false)).toBe(true);
});

test('however many volumes are stuck, each other one finds a part of its own', () => {
  const [stuckCount, liveBytes] = [40, 16 * KIB];
  const budget = new MemoryBudget(4096 * KIB, stuckCount + 1);
  const stuck = Array.from({ length: stuckCount }, () => new CopyQueue(budget, new MemorySpill(0), 1024 * KIB));
  for (const queue of stuck) for (let n = 1; queue.push(write(n, 4 * KIB), false); n += 1);
  const live = new CopyQueue(budget, new MemorySpill(0), 1024 * KIB);
  for (let n = 1; n <= liveBytes / (4 * KIB); n += 1) expect(live.push(write(n, 4 * KIB), false)).toBe(true);
});

test('volumes that are added share the same memory, each with a part of its own', () => {
  for (const atStart of [0, 1]) {
    const maxBytes = 4096 * KIB;
    const budget = new MemoryBudget(maxBytes, atStart);
    const queueOf = (): CopyQueue => new CopyQueue(budget, new MemorySpill(0), maxBytes);
    const full = (queue: CopyQueue): void => {
      for (let n = 1; queue.push(write(n, 4 * KIB), false); n += 1);
    };
    const first = queueOf();
    full(first);
    const added = Array.from({ length: 20 }, queueOf);
    for (const queue of added.slice(1)) full(queue);
    const held = [first, ...added].reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
    expect(held).toBeLessThanOrEqual(maxBytes);
    const [live] = added;
    for (let n = 1; n <= 4; n += 1) expect(live?.push(write(n, 4 * KIB), false)).toBe(true);
    for (const queue of [first, ...added]) queue.drop(() => {});
    const { ownBytes } = budget;
    for (const queue of added) queue.leave();
    expect(budget.ownBytes).toBeGreaterThan(ownBytes);
    expect(budget.freeBytes + budget.ownBytes).toBe(maxBytes);
  }
});

test('an empty queue takes a region even when memory is full, so that a short initialization gets on', () => {
  const budget = new MemoryBudget(0);
  const queue = new CopyQueue(budget, new MemorySpill(0), 0);
  expect(queue.hasRoomForResend).toBe(true);
  expect(queue.push(write(1, 64 * KIB), false)).toBe(true);
  expect(queue.hasRoomForResend).toBe(false);
  expect(queue.push(write(2, 1), false)).toBe(false);
  queue.confirm(1, () => {});
  expect(queue.push(write(2, 64 * KIB + 1), false)).toBe(false);
});

test('behind a fence zeroes go on when memory is full: they need no room for data', () => {
  const queue = new CopyQueue(new MemoryBudget(1024 * KIB), new MemorySpill(0), 8 * KIB);
  expect(queue.push(write(1, 7 * KIB), true)).toBe(true);
  expect(queue.push({ kind: 'zeroes', n: 2, timeMs: 0, offset: 0, length: 1024 * KIB }, true)).toBe(true);
  for (let n = 3; n < 100; n += 1)
    expect(queue.push({ kind: 'zeroes', n, timeMs: 0, offset: 0, length: KIB }, true)).toBe(true);
  expect(queue.push({ kind: 'zeroes', n: 100, timeMs: 0, offset: 0, length: KIB }, false)).toBe(false);
});

test('the spill file is reset as soon as nothing in it is needed', () => {
  const spill = new MemorySpill(64 * KIB);
  const queue = new CopyQueue(new MemoryBudget(1024 * KIB), spill, 8 * KIB);
  for (let n = 1; n <= 4; n += 1) expect(queue.push(write(n, 4 * KIB), true)).toBe(true);
  expect(spill.freeBytes).toBeLessThan(64 * KIB);
  queue.confirm(3, () => {});
  expect(spill.resets).toBe(0);
  queue.confirm(4, () => {});
  expect(spill.resets).toBe(1);
});

test('given a long queue, when most of what was sent is confirmed, then sending goes on where it was', () => {
  const queue = new CopyQueue(new MemoryBudget(1024 * KIB * KIB), new MemorySpill(0), 1024 * KIB * KIB);
  for (let n = 1; n <= 4_000; n += 1) queue.push(write(n, 1), false);
  for (let n = 1; n <= 3_000; n += 1) queue.advance();
  const confirmed: number[] = [];
  queue.confirm(2_500, ({ n }) => confirmed.push(n));
  expect(confirmed).toHaveLength(2_500);
  expect(queue.peek(Number.MAX_SAFE_INTEGER)?.n).toBe(3_001);
  queue.rewind();
  expect(queue.peek(Number.MAX_SAFE_INTEGER)?.n).toBe(2_501);
});
