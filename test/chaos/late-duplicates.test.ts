// There and back again, while every call of the first move arrives a second time, late: each is
// refused or answered as before.
import { request } from 'undici';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { problemSchema } from '../../contracts/errors.js';
import { MOVE_STEPS } from '../../contracts/move.js';
import type { ControlCall } from '../support/control-detour.js';
import { CALL_OF, type HeldMove, Testbed, VOLUME_AT } from './testbed.js';

/** What a call of a move that is over may be told. */
const REFUSALS = [
  'STALE_ATTEMPT',
  'ATTEMPT_COMMITTED',
  'ATTEMPT_ABORTED',
  'ATTEMPT_MISMATCH',
  'NOT_FENCED',
  'NOT_NOTIFIED',
  'FENCE_LAPSED',
  'EPOCH_MISMATCH',
  'NOT_OWNER',
  'CUT_VOID',
];
const VOLUME = VOLUME_AT.flush;

let testbed: Testbed;
beforeAll(async () => {
  testbed = await Testbed.start(inject('temporalAddress'));
});
afterAll(async () => testbed.stop());

interface SentCall {
  readonly url: string;
  readonly call: ControlCall;
}

/** The changes that a move asked for so far, with whom. */
function callsOf({ workflowId }: HeldMove): SentCall[] {
  return [...testbed.detours.values()].flatMap((detour) => {
    const own = detour.calls.filter(
      ({ path, body }) => path.startsWith('/v1/attempts/') && body.includes(`"${workflowId}@`),
    );
    return own.map((call) => ({ url: detour.url, call }));
  });
}

/**
 * All that a move decides: owners and attempts at the replica site, routes, notices and fences at
 * the splitter.
 */
async function decided(): Promise<unknown> {
  const volumes = await testbed.estate.client.volumes.list();
  return volumes.map(({ volume, group, epoch, openAttempt, splitterView }) => {
    const { route, notice, fence, mode } = splitterView ?? {};
    return {
      volume,
      group,
      epoch,
      openAttempt,
      route,
      notice,
      mode,
      fence: fence && { attempt: fence.attempt, cut: fence.cut, lapsed: fence.lapsed },
    };
  });
}

async function bookmarks(): Promise<unknown> {
  const { points } = await testbed.estate.client.points.list({ volume: VOLUME });
  return points
    .filter(({ bookmark }) => bookmark)
    .map(({ id, kind, bookmark, members }) => ({ id, kind, bookmark, members }));
}

/**
 * Sends the calls in their order, then in the reverse order. Each must be refused or answered as
 * before, and nothing may change.
 */
async function sendAgain(calls: readonly SentCall[]): Promise<void> {
  const before = await decided();
  const marksBefore = await bookmarks();
  for (const { url, call } of [...calls, ...calls.toReversed()]) {
    const { statusCode, body } = await request(`${url}${call.path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: call.body,
    });
    const answer: unknown = await body.json();
    const told = `${call.path} ${call.body} → ${JSON.stringify(answer)}`;
    if (statusCode >= 400) expect(REFUSALS, told).toContain(problemSchema.parse(answer).code);
    // Whichever call asks for its record, a move that is done is told as committed.
    else if (z.object({ state: z.string() }).safeParse(answer).success)
      expect(answer, told).toMatchObject({ state: 'COMMITTED' });
    else if (call.path.endsWith('/learn'))
      expect(answer, told).toMatchObject({ learned: z.object({ learned: z.unknown() }).parse(call.answer).learned });
    else expect(call.path, told).toBe('/v1/attempts/drain');
  }
  expect(await decided()).toEqual(before);
  expect(await bookmarks()).toEqual(marksBefore);
}

test('late duplicates of a move change nothing, whatever step the move back is at', async () => {
  const there = await testbed.startFree(VOLUME);
  await testbed.expectMoved(there, await testbed.estate.reportOf(there));
  const calls = callsOf(there);
  const paths = calls.map(({ call }) => call.path);
  for (const operation of ['open', 'notify', 'fence', 'drain', 'seal', 'bookmark', 'adopt', 'learn', 'join'])
    expect(paths).toContain(`/v1/attempts/${operation}`);
  await sendAgain(calls);

  for (const step of MOVE_STEPS) {
    const move = await testbed.startHeld(CALL_OF[step], VOLUME);
    await move.hold.reached();
    await sendAgain(calls);
    move.hold.release();
    await testbed.expectMoved(move, await testbed.estate.reportOf(move));
    await sendAgain(calls);
  }
  const last = await testbed.startHeld('/v1/attempts/learn', VOLUME);
  await last.hold.reached();
  await sendAgain(calls);
  last.hold.release();
  await testbed.expectMoved(last, await testbed.estate.reportOf(last));
  await testbed.expectNothingLost();
});
