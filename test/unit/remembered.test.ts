// An answer is asked for once for all who want it at a time, and again when it is too old.
import { expect, test, vi } from 'vitest';
import { Remembered } from '../../control/remembered.js';

test('an answer counts for its time, also for those who want it while it is asked for', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    let asked = 0;
    const answers = new Remembered(async () => (asked += 1), 1_000);
    expect(await Promise.all([answers.get(), answers.get()])).toEqual([1, 1]);
    vi.advanceTimersByTime(1_000);
    expect(await answers.get()).toBe(1);
    vi.advanceTimersByTime(1);
    expect(await answers.get()).toBe(2);
  } finally {
    vi.useRealTimers();
  }
});
