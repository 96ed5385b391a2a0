// The lock of byte ranges against a simple model, over random requests.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RangeLock } from '../../simulator/disk/range-lock.js';

const settle = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('overlapping ranges are held one after the other in the order of asking, others at the same time', async () => {
  const ranges = fc.array(fc.record({ offset: fc.nat(20), length: fc.integer({ min: 1, max: 8 }) }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(ranges, fc.infiniteStream(fc.nat()), async (asked, choices) => {
      const lock = new RangeLock();
      const held = new Map<number, () => void>();
      const done = new Set<number>();
      const overlap = (a: number, b: number): boolean => {
        const [x, y] = [asked[a], asked[b]];
        return x !== undefined && y !== undefined && x.offset < y.offset + y.length && y.offset < x.offset + x.length;
      };
      asked.forEach(
        ({ offset, length }, i) => void lock.acquire(offset, length).then((release) => held.set(i, release)),
      );
      while (done.size < asked.length) {
        await settle();
        for (const [i, range] of asked.entries()) {
          const isBlocked = asked.some((_, earlier) => earlier < i && !done.has(earlier) && overlap(earlier, i));
          expect(held.has(i) || done.has(i)).toBe(!isBlocked);
          if (!done.has(i)) expect(lock.isFree(range.offset, range.length)).toBe(false);
        }
        const holders = [...held.keys()];
        const chosen = holders[(choices.next().value ?? 0) % holders.length];
        if (chosen === undefined) throw new Error('nobody holds anything');
        held.get(chosen)?.();
        held.delete(chosen);
        done.add(chosen);
      }
      expect(lock.isFree(0, 1_000)).toBe(true);
    }),
  );
});
