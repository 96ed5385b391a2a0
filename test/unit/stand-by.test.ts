// How an attempt is kept ready for its fence: until when, how often it is looked after, and what
// ends it.
import { beforeEach, describe, expect, test } from 'vitest';
import { standBy } from '../../activities/stand-by.js';
import type { Heartbeat } from '../../contracts/move.js';
import { MoverError } from '../../contracts/errors.js';
import { moveInputSchema } from '../../contracts/move.js';
import type { AttemptContext, StandByUntil } from '../../contracts/steps.js';
import type { Ports } from '../../control/ports.js';

const NOON_MS = Date.UTC(2026, 0, 5, 12);
const LEASE_MS = 60_000;

let nowMs: number;
let slept: number[];
let beats: Heartbeat[];
let renewals: unknown[];
/** What the site grants: the lease that is asked for, or less near the attempt's deadline. */
let granted: (askedMs: number) => number | undefined;
/** Bytes that each of the two volumes still has to bring: to the site, and into its replica. */
let unconfirmedBytes: number;
let undistributedBytes: number;

beforeEach(() => {
  nowMs = NOON_MS;
  [slept, beats, renewals] = [[], [], []];
  granted = (askedMs) => askedMs;
  [unconfirmedBytes, undistributedBytes] = [0, 0];
});

function portsOf(): Ports {
  const renew = async (input: { leaseMs: number }) => {
    renewals.push(input);
    const ms = granted(input.leaseMs);
    return ms === undefined ? {} : { contents: { lease: { ms } } };
  };
  const appliance = { id: 'a1', url: '', calls: { renew, lag: async () => ({ undistributedBytes }) } };
  const inventory = async () => ({ volumes: [{ unconfirmedBytes }] });
  return {
    appliances: new Map([['a1', appliance]]),
    splitters: new Map([['s1', { id: 's1', calls: { inventory } }]]),
  } as unknown as Ports;
}

async function stand(until: StandByUntil, options: object = {}, signal?: AbortSignal): Promise<string> {
  const input = moveInputSchema.parse({
    volumes: ['v1', 'v2'],
    to: 'g2',
    options: { leaseMs: LEASE_MS, ...options },
  });
  const end = (group: string) => ({ group, appliance: 'a1', url: 'http://a1.test' });
  const context = {
    attempt: { move: 'm1', n: 1, ticket: 7 },
    volumes: ['v1', 'v2'].map((volume) => ({ volume, splitter: 's1', epoch: 1 })),
    from: end('g1'),
    to: end('g2'),
    options: input.options,
  } as unknown as AttemptContext;
  try {
    await standBy(portsOf(), context, until, {
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      heartbeat: (beat) => void beats.push(beat),
      sleep: async (ms) => {
        signal?.throwIfAborted();
        slept.push(ms);
        nowMs += ms;
      },
    });
    return 'ready';
  } catch (error) {
    if (error instanceof MoverError) return `${error.code}: ${error.message}`;
    return String(error);
  }
}

describe('given a move whose fence may be raised from a time on', () => {
  test('when that time has come, then it is ready at once, without a call', async () => {
    expect(await stand('window', { fenceFromMs: NOON_MS })).toBe('ready');
    expect([renewals, beats, slept]).toEqual([[], [], []]);
  });

  test('when no time is given, then it is ready at once', async () => {
    expect(await stand('window')).toBe('ready');
    expect(renewals).toEqual([]);
  });

  test('when there are 12 s left, then it looks every 5 s, and is ready at the very time', async () => {
    expect(await stand('window', { fenceFromMs: NOON_MS + 12_000 })).toBe('ready');
    expect(slept).toEqual([5_000, 5_000, 2_000]);
    expect(nowMs).toBe(NOON_MS + 12_000);
  });

  test('when its lease is short, then it looks four times in the length of one', async () => {
    expect(await stand('window', { fenceFromMs: NOON_MS + 3_000, leaseMs: 4_000 })).toBe('ready');
    expect(slept).toEqual([1_000, 1_000, 1_000]);
  });

  test('then each look renews the lease in full and says how much is on its way', async () => {
    [unconfirmedBytes, undistributedBytes] = [30, 400];
    await stand('window', { fenceFromMs: NOON_MS + 6_000 });
    expect(renewals).toEqual(Array.from({ length: 2 }, () => ({ attempt: { move: 'm1', n: 1 }, leaseMs: LEASE_MS })));
    expect(beats).toEqual(Array.from({ length: 2 }, () => ({ doing: 'standing by', bytesLeft: 860 })));
  });
});

describe('given a move that waits for an approval', () => {
  test('then it stands by until it is cancelled, whatever the earliest time for its fence', async () => {
    const cancel = new AbortController();
    granted = (askedMs) => {
      if (renewals.length === 20) cancel.abort(new Error('cancelled'));
      return askedMs;
    };
    expect(await stand('approved', { fenceFromMs: NOON_MS }, cancel.signal)).toBe('Error: cancelled');
    expect(slept).toEqual(Array.from({ length: 19 }, () => 5_000));
  });

  test('when the latest time for its fence has passed, then it ends with that time, and keeps nothing longer', async () => {
    const end = await stand('approved', { fenceByMs: NOON_MS + 12_000 });
    expect(end).toBe(
      'WINDOW_CLOSED: The move was not ready to raise its fence by 2026-01-05T12:00:12.000Z, the latest time allowed.',
    );
    expect(nowMs).toBe(NOON_MS + 15_000);
  });

  test('when the very latest time has come, then it may still be approved', async () => {
    await stand('approved', { fenceByMs: NOON_MS + 10_000 });
    expect(renewals).toHaveLength(3);
  });
});

describe('given an attempt near its deadline', () => {
  test('when less is granted than a lease, then it ends, so that a new attempt takes its place', async () => {
    granted = (askedMs) => (renewals.length < 3 ? askedMs : askedMs - 1);
    expect(await stand('approved')).toBe(
      'ATTEMPT_ABORTED: The deadline of attempt m1#1 is near; a new attempt keeps the move ready.',
    );
    expect(beats).toHaveLength(2);
  });

  test('when a site of an earlier version does not say what it grants, then it stands by', async () => {
    granted = () => undefined;
    expect(await stand('window', { fenceFromMs: NOON_MS + 1_000 })).toBe('ready');
  });
});
