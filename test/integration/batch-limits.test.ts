// How many moves of a batch run at once, how quickly they start, and in which order, on the real
// Temporal server.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BatchInput } from '../../contracts/batch.js';
import { startsIn } from './support/batch-history.js';
import { BatchTestbed, inOrderOfStart, mostAtOnce, THREE } from './support/batch-testbed.js';
import { moveReportsOf, startBatch, untilCounts } from './support/batches.js';
import { eventsOf } from './support/moves.js';

let testbed: BatchTestbed;
beforeAll(async () => {
  testbed = await BatchTestbed.start({
    described: (volume) => {
      const place = Number(volume.at(-1));
      // The last one has no turn.
      return place === 5 ? {} : { labels: { turn: String(9 - place) } };
    },
  });
});
afterEach(async () => testbed.checkPromises());
afterAll(async () => testbed.stop());

describe('moves at once', () => {
  test.each([
    { limits: { all: 3 }, most: 3 },
    { limits: { all: 1 }, most: 1 },
    { limits: { all: 3, perSourceGroup: 1 }, most: 1 },
    { limits: { all: 3, perTargetGroup: 1 }, most: 1 },
    { limits: { all: 3, perAppliance: 1 }, most: 1 },
  ])('$limits: $most', async ({ limits, most }) => {
    // Holds one move until as many run as may run at once.
    const hold = testbed.moves.live.faults.hold('notify', 'before');
    const handle = await startBatch(testbed.moves, { moves: testbed.listed(THREE), options: { concurrency: limits } });
    await hold.reached;
    await untilCounts(handle, ({ running }) => running === most);
    hold.release();
    await handle.result();
    expect(mostAtOnce(await moveReportsOf(testbed.moves, handle))).toBeLessThanOrEqual(most);
  });
});

test('no more moves start in a second than asked for', async () => {
  const { handle } = await testbed.run({ moves: testbed.listed(THREE), options: { startsPerSecond: 2 } });
  const [first, , third, ...more] = startsIn(await eventsOf(handle)).map(({ decidedAtMs }) => decidedAtMs);
  expect(more).toEqual([]);
  expect((third ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(1_000);
});

describe('moves go', () => {
  const one = { concurrency: { all: 1 } };

  async function orderOf(input: BatchInput): Promise<(string | undefined)[]> {
    const { handle } = await testbed.run(input);
    return inOrderOfStart(await moveReportsOf(testbed.moves, handle));
  }

  test('as they are listed', async () => {
    const mixed = ['s0v2', 's0v0', 's0v5', 's0v1'];
    expect(await orderOf({ moves: testbed.listed(mixed), options: one })).toEqual(mixed);
  });

  test('in the order of a label, those without it last', async () => {
    const moves = testbed.listed(['s0v5', ...THREE]);
    expect(await orderOf({ moves, options: { ...one, order: { byLabel: 'turn' } } })).toEqual([
      ...THREE.toReversed(),
      's0v5',
    ]);
  });

  test('smallest first, by the size of all disks of a move', async () => {
    await testbed.run({ moves: testbed.listed(testbed.moves.live.world.volumes, 'g3') });
    const moves = [['s0v0', 's0v1', 's0v2'], ['s0v3'], ['s0v4', 's0v5']].map((volumes) => ({ volumes, to: 'g2' }));
    expect(await orderOf({ moves, options: { ...one, order: 'smallest-first' } })).toEqual(['s0v3', 's0v4', 's0v0']);
  });
});
