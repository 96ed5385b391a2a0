// A replica site that forgets attempts soon: what arrives late of them is refused, also after the
// site was killed right after it forgot them, and moves go on.
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { controlUrl } from '../../contracts/estate.js';
import { MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import { replicaSiteApi } from '../../contracts/replica-site-api.js';
import { createApiClient } from '../../control/client.js';
import { REPLICA_SITE_ID } from '../../estate/launch.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';
import { callsOf, decided, sendLate, type SentCall } from './late-calls.js';
import { CALL_OF, type HeldMove, Testbed, VOLUME_AT } from './testbed.js';

/** Verdicts and points are kept for seconds. A committed attempt waits for 45 s of history, too. */
const FORGETS = {
  environment: { VOLUME_MOVER_RETENTION_EVERY_S: '1', VOLUME_MOVER_VERDICT_KEPT_S: '1' },
  retention: { keepAllMs: 5_000, hourlyMs: 0, dailyMs: 0, weeklyMs: 0 },
};
const LEASE_MS = 3_000;
/** What a call of an attempt may be told that the replica site has forgotten. */
const REFUSALS: Readonly<Record<string, readonly string[]>> = {
  '/v1/attempts/open': ['STALE_ATTEMPT'],
  '/v1/attempts/resolve': ['STALE_ATTEMPT'],
  '/v1/attempts/drain': ['ATTEMPT_NOT_FOUND'],
  '/v1/attempts/seal': ['ATTEMPT_NOT_FOUND'],
  '/v1/attempts/bookmark': ['ATTEMPT_NOT_FOUND'],
  '/v1/attempts/adopt': ['ATTEMPT_NOT_FOUND'],
  '/v1/attempts/join': ['ATTEMPT_NOT_FOUND'],
  '/v1/attempts/notify': ['STALE_ATTEMPT', 'ATTEMPT_ABORTED', 'ATTEMPT_COMMITTED'],
  '/v1/attempts/fence': ['STALE_ATTEMPT', 'ATTEMPT_ABORTED', 'ATTEMPT_COMMITTED'],
  '/v1/attempts/learn': ['STALE_ATTEMPT'],
  '/v1/attempts/renew': ['ATTEMPT_NOT_FOUND', 'NOT_FENCED'],
  '/v1/attempts/confirm': [],
};

let testbed: Testbed;
beforeAll(async () => {
  testbed = await Testbed.start(inject('temporalAddress'), FORGETS);
});
afterAll(async () => testbed.stop());

/** Moves a volume to its other group. */
async function moved(volume: VolumeId): Promise<HeldMove> {
  const move = await testbed.startFree(volume);
  expect(await testbed.estate.reportOf(move)).toMatchObject({ outcome: 'moved' });
  expect(await testbed.standing(volume)).toEqual({ group: move.to, epoch: move.before.epoch + 1 });
  return move;
}

/** An attempt whose mover is terminated right before the commit: its `adopt` stays on the way. */
async function orphaned(volume: VolumeId): Promise<HeldMove> {
  const move = await testbed.startHeld(CALL_OF.reconfigure, volume, { leaseMs: LEASE_MS });
  await move.hold.reached();
  await testbed.estate.temporal.workflow.getHandle(move.workflowId, move.runId).terminate('one click too many');
  await testbed.healed(volume);
  return move;
}

/** Waits until the replica site has no record of the move's first attempt. */
async function forgotten({ moveId }: HeldMove): Promise<void> {
  const site = createApiClient(replicaSiteApi, {
    baseUrl: controlUrl(testbed.estate.running.estate.replicaSite.control),
  });
  await untilTrue(`the forgetting of ${moveId}`, PATIENCE_MS, async () => {
    try {
      await site.get({ move: moveId, n: 1 });
      return false;
    } catch (error) {
      if (error instanceof MoverError && error.code === 'ATTEMPT_NOT_FOUND') return true;
      throw error;
    }
  });
}

async function allSynced(): Promise<void> {
  await untilTrue('replication of every volume', PATIENCE_MS, async () => {
    const volumes = await testbed.estate.client.volumes.list();
    return volumes.every(({ splitterView }) => splitterView?.mode === 'SYNCED');
  });
}

/** Sends each call again, in its order and in the reverse one: each is refused, nothing changes. */
async function expectRefused(calls: readonly SentCall[]): Promise<void> {
  await allSynced();
  const before = await decided(testbed);
  const refusals: string[] = [];
  for (const sent of [...calls, ...calls.toReversed()]) {
    const { call, answer, refused, told } = await sendLate(sent);
    if (refused !== undefined) {
      expect(REFUSALS[call.path], told).toContain(refused);
      refusals.push(call.path);
    }
    // The splitter still has its newest verdict, and a hold that nobody knows is not held.
    else if (call.path === '/v1/attempts/learn')
      expect(answer, told).toMatchObject({ learned: z.object({ learned: z.unknown() }).parse(call.answer).learned });
    else expect(answer, told).toMatchObject({ held: false });
  }
  for (const step of ['open', 'notify', 'fence', 'seal', 'bookmark', 'adopt'])
    expect(refusals).toContain(`/v1/attempts/${step}`);
  expect(await decided(testbed)).toEqual(before);
}

test('an orphaned attempt is forgotten: what arrives late of it is refused, and its volume moves', async () => {
  const volume = VOLUME_AT.notify;
  const orphan = await orphaned(volume);
  await forgotten(orphan);
  expect(await testbed.standing(volume)).toEqual(orphan.before);
  // The commit itself was on its way all the time. Nobody is left who waits for its answer.
  orphan.hold.release();
  await untilTrue('the arrival of the commit', PATIENCE_MS, async () =>
    callsOf(testbed, orphan).some(({ call }) => call.path === CALL_OF.reconfigure && call.status >= 400),
  );
  expect(await testbed.standing(volume)).toEqual(orphan.before);
  const calls = callsOf(testbed, orphan);
  await expectRefused(calls);
  await moved(volume);
  await expectRefused(calls);
});

test('a site that is killed right after it forgot an attempt has forgotten it, and refuses its calls', async () => {
  const volume = VOLUME_AT.snapshot;
  const orphan = await orphaned(volume);
  orphan.hold.release();
  const site = testbed.estate.process(REPLICA_SITE_ID);
  await forgotten(orphan);
  await site.kill();
  await site.start();
  await untilTrue('the arrival of the commit', PATIENCE_MS, async () =>
    callsOf(testbed, orphan).some(({ call }) => call.path === CALL_OF.reconfigure),
  );
  await expectRefused(callsOf(testbed, orphan));
  expect(await testbed.standing(volume)).toEqual(orphan.before);
  await moved(volume);
  await expectRefused(callsOf(testbed, orphan));
});

test('a move is forgotten once its volume has moved back and nothing of that time can be opened; a kill changes nothing', async () => {
  const volume = VOLUME_AT.flush;
  const there = await moved(volume);
  const back = await moved(volume);
  await forgotten(there);
  const site = testbed.estate.process(REPLICA_SITE_ID);
  await site.kill();
  await site.start();
  await expectRefused(callsOf(testbed, there));
  // The volume is still where this one has brought it: its verdict is known.
  const [adopt] = callsOf(testbed, back).filter(({ call }) => call.path === CALL_OF.reconfigure);
  expect(adopt && (await sendLate(adopt)).answer).toMatchObject({ state: 'COMMITTED' });
  expect(await testbed.standing(volume)).toEqual({ group: back.to, epoch: back.before.epoch + 1 });
  await moved(volume);
  await expectRefused(callsOf(testbed, there));
  await testbed.expectNothingLost();
});
