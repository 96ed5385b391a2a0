// One sync for all who ask: never two at a time, for the system tells of what it could not write
// only once.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { SharedSync } from '../../simulator/disk/shared-sync.js';

const MICROTASKS = 12;

/**
 * Asks again so many microtasks after the disk's answer: at each of them something else of the
 * state is settled.
 */
async function askAfter(sync: SharedSync, answer: Promise<unknown>, microtasks: number): Promise<void> {
  await answer;
  for (let done = 0; done < microtasks; done += 1) await Promise.resolve();
  await sync.request();
}

test('two syncs never run at the same time, however soon after the end of one the next is asked for', async () => {
  let running = 0;
  let most = 0;
  let answer: Promise<unknown> = Promise.resolve();
  const sync = new SharedSync(async () => {
    running += 1;
    most = Math.max(most, running);
    answer = nextTurn();
    await answer;
    running -= 1;
  });
  for (let microtasks = 0; microtasks < MICROTASKS; microtasks += 1) {
    const first = sync.request();
    await Promise.all([first, sync.request(), askAfter(sync, answer, microtasks)]);
  }
  expect(most).toBe(1);
});

test('after a failure nobody hears of success', async () => {
  for (let microtasks = 0; microtasks < MICROTASKS; microtasks += 1) {
    let syncs = 0;
    let answer: Promise<unknown> = Promise.resolve();
    const sync = new SharedSync(async () => {
      syncs += 1;
      const fails = syncs === 2;
      answer = nextTurn();
      await answer;
      if (fails) throw new Error('EIO');
    });
    const first = sync.request();
    const later = await Promise.allSettled([sync.request(), askAfter(sync, answer, microtasks), first]);
    expect(later.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    await expect(sync.request()).rejects.toThrow('stable storage');
  }
});
