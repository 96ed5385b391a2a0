// Following: quick while things change, slow in a long wait, through short outages; on virtual
// time.
import { expect, test } from 'vitest';
import { follow, type FollowTime } from '../../client/temporal/follow.js';
import { MoverError } from '../../contracts/errors.js';
import { lastOf } from '../support/last-of.js';

interface Item {
  readonly state: 'running' | 'done';
  readonly step: number;
}

const HOUR_MS = 3_600_000;
const FIRST: Item = { state: 'running', step: 0 };

/** Time goes on only while somebody waits. */
class VirtualTime implements FollowTime {
  now = 0;
  readonly waits: number[] = [];

  nowMs(): number {
    return this.now;
  }

  async wait(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) throw new Error('the wait was aborted');
    this.waits.push(ms);
    this.now += ms;
  }
}

function unreachable(): MoverError {
  return new MoverError('UNREACHABLE', 'Temporal did not carry out the request.');
}

test('yields what is there, each change, and the end', async () => {
  const time = new VirtualTime();
  const looks: Item[] = [
    FIRST,
    { state: 'running', step: 1 },
    { state: 'running', step: 1 },
    { state: 'done', step: 2 },
  ];
  const seen: Item[] = [];
  for await (const item of follow(FIRST, async () => looks.shift() ?? FIRST, {}, time)) seen.push(item);
  expect(seen.map(({ state, step }) => `${state} ${step}`)).toEqual(['running 0', 'running 1', 'done 2']);
});

test('what has ended is yielded once, and not looked at again', async () => {
  const time = new VirtualTime();
  const ended: Item = { state: 'done', step: 5 };
  const look = async (): Promise<Item> => Promise.reject(new Error('looked again'));
  expect(await lastOf(follow(ended, look, {}, time))).toEqual(ended);
  expect(time.waits).toEqual([]);
});

test('a wait of an hour costs a look every 2 seconds, and the next change makes it quick again', async () => {
  const time = new VirtualTime();
  const looksMs: number[] = [];
  const look = async (): Promise<Item> => {
    looksMs.push(time.now);
    if (time.now < HOUR_MS) return FIRST;
    return time.now < HOUR_MS + 3_000 ? { state: 'running', step: 1 } : { state: 'done', step: 1 };
  };
  await lastOf(follow(FIRST, look, {}, time));
  const [changedAtMs = 0, nextMs = 0] = looksMs.filter((atMs) => atMs >= HOUR_MS);
  expect(looksMs[0]).toBe(150);
  expect(looksMs.filter((atMs) => atMs < HOUR_MS).length).toBeLessThan(HOUR_MS / 2_000 + 25);
  expect(Math.max(...time.waits)).toBe(2_000);
  expect(nextMs - changedAtMs).toBe(150);
});

test('an outage that ends in time is not noticed', async () => {
  const time = new VirtualTime();
  const look = async (): Promise<Item> => {
    if (time.now < 30_000) throw unreachable();
    return { state: 'done', step: 1 };
  };
  expect(await lastOf(follow(FIRST, look, {}, time))).toEqual({ state: 'done', step: 1 });
});

test('an outage that lasts is told after its bound, which starts anew with each answer', async () => {
  const time = new VirtualTime();
  let failedSinceMs = 0;
  const look = async (): Promise<Item> => {
    if (time.now < 100_000) return FIRST;
    failedSinceMs ||= time.now;
    throw unreachable();
  };
  await expect(lastOf(follow(FIRST, look, { outageMsMax: 20_000 }, time))).rejects.toMatchObject({
    code: 'UNREACHABLE',
  });
  expect(time.now - failedSinceMs).toBeGreaterThanOrEqual(20_000 - 2_000);
  expect(time.now - failedSinceMs).toBeLessThanOrEqual(20_000);
});

test('what is no outage is thrown at once', async () => {
  const time = new VirtualTime();
  const look = async (): Promise<Item> => Promise.reject(new MoverError('MOVE_NOT_FOUND', 'Temporal has no move.'));
  await expect(lastOf(follow(FIRST, look, {}, time))).rejects.toMatchObject({ code: 'MOVE_NOT_FOUND' });
  expect(time.waits).toHaveLength(1);
});

test('an aborted signal ends it with its reason: before it begins, in a wait and after a look', async () => {
  const reason = new Error('Ctrl-C');
  const before = AbortSignal.abort(reason);
  const waiting = new AbortController();
  const looking = new AbortController();
  const never = async (): Promise<Item> => FIRST;
  await expect(lastOf(follow(FIRST, never, { signal: before }, new VirtualTime()))).rejects.toBe(reason);

  const items = follow(FIRST, never, { signal: waiting.signal }, new VirtualTime());
  await items.next();
  waiting.abort(reason);
  await expect(items.next()).rejects.toBe(reason);

  const look = async (): Promise<Item> => {
    looking.abort(reason);
    throw unreachable();
  };
  await expect(lastOf(follow(FIRST, look, { signal: looking.signal }, new VirtualTime()))).rejects.toBe(reason);
});
