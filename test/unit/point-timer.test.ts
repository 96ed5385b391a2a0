// An appliance that can't close points says so: nothing is quiet while no state is being kept to
// recover to.
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { PointTimer } from '../../simulator/appliance/point-timer.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import { G1 } from './site-core-fixture.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a group of which no point can be closed for a while is told of with the reason, and no more once one is closed', async () => {
  let failure: Error | undefined = new MoverError(
    'STORAGE_FULL',
    'There is no room left to store a change in /data/rows.',
  );
  let isAlive = true;
  const timer = new PointTimer({
    rounds: {
      close: async (): Promise<RecoveryPoint | undefined> =>
        failure === undefined ? undefined : Promise.reject(failure),
    },
    isAlive: () => isAlive,
    log: pino({ level: 'silent' }),
  });
  timer.serve([{ group: G1, pointEveryMs: 1_000 }]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(timer.notes).toEqual([]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(timer.notes).toHaveLength(1);
  expect(timer.notes[0]).toMatch(
    new RegExp(
      `^No recovery point of group "${G1}" has been closed since \\d{4}-.*\\(STORAGE_FULL\\): There is no room left .*/data/rows\\. Earlier points are kept\\.`,
    ),
  );
  failure = undefined;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(timer.notes).toEqual([]);

  failure = new MoverError('UNREACHABLE', 'The replica site does not answer.');
  await vi.advanceTimersByTimeAsync(30_000);
  expect(timer.notes).toHaveLength(1);
  isAlive = false;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(timer.notes).toEqual([]);
  await timer.stop();
});
