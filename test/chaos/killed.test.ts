// Every process killed with kill -9 while moves stand at each of their steps, and started again.
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { REPLICA_SITE_ID, WORKER_ID } from '../../estate/launch.js';
import { APPLIANCE_1, APPLIANCE_2, HOST, Testbed, VOLUME_AT } from './testbed.js';

/**
 * Longest time a guest may wait for one write while only the orchestrator is gone, ms: far above
 * what 2 busy cores make of it.
 */
const UNNOTICED_MS_MAX = 3_000;

let testbed: Testbed;
beforeAll(async () => {
  testbed = await Testbed.start(inject('temporalAddress'));
});
afterAll(async () => testbed.stop());

test('the worker killed during each step: every move completes after a new one starts', async () => {
  const moves = await testbed.holdAtEachStep();
  await testbed.estate.process(WORKER_ID).kill();
  for (const { hold } of moves) hold.release();
  await testbed.estate.process(WORKER_ID).start();
  for (const move of moves) await testbed.expectMoved(move, await testbed.estate.reportOf(move));
  await testbed.expectNothingLost();
});

test.each([HOST, APPLIANCE_1, APPLIANCE_2, REPLICA_SITE_ID])(
  '%s killed during each step: every move ends, moved or as before, and nothing is lost',
  async (id) => {
    const moves = await testbed.holdAtEachStep();
    const process = testbed.estate.process(id);
    await process.kill();
    for (const { hold } of moves) hold.release();
    await process.start();
    for (const move of moves) {
      const ended = await testbed.ended(move);
      if (ended instanceof MoverError) {
        expect(ended.message).toMatch(/Everything is as it was before/);
        await testbed.expectAsBefore(move);
      } else await testbed.expectMoved(move, ended);
    }
    await testbed.expectNothingLost();
  },
);

test('the worker killed for good behind the fence: the splitter asks for the verdict within the lease, and the guest never notices', async () => {
  const volume = VOLUME_AT.flush;
  const leaseMs = 3_000;
  const move = await testbed.holdAt('flush', { leaseMs });
  const guest = testbed.guests.get(volume);
  guest?.phase('orphaned');
  await testbed.estate.process(WORKER_ID).kill();
  const killedAtMs = Date.now();
  await testbed.healed(volume);
  expect(Date.now() - killedAtMs).toBeLessThan(2 * leaseMs);
  guest?.phase('healed');
  await testbed.expectAsBefore(move);
  const { count = 0, worstMs = 0 } = guest?.latencies()['orphaned'] ?? {};
  expect(count).toBeGreaterThan(0);
  expect(worstMs).toBeLessThan(UNNOTICED_MS_MAX);
  move.hold.release();
  await testbed.expectNothingLost();
  // A new worker finds the attempt aborted and makes another.
  await testbed.estate.process(WORKER_ID).start();
  const report = await testbed.estate.reportOf(move);
  expect(report.attempt.n).toBe(2);
  await testbed.expectMoved(move, report);
  await testbed.expectNothingLost();
});
