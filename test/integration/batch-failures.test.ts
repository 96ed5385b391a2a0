// What a batch does when its moves fail, on the real Temporal server.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BatchTestbed, corrupt, THREE } from './support/batch-testbed.js';
import {
  ask,
  batchIdOf,
  failureOf,
  moveReportsOf,
  refusalOf,
  reportIn,
  startBatch,
  storedReportOf,
  untilBatch,
} from './support/batches.js';

const FOUR = ['s0v0', 's0v1', 's0v2', 's0v3'];

let testbed: BatchTestbed;
beforeAll(async () => {
  testbed = await BatchTestbed.start();
});
afterEach(async () => testbed.checkPromises());
afterAll(async () => testbed.stop());

describe('failures', () => {
  test('by default a batch goes on and lists them', async () => {
    const before = testbed.moves.live.groupOf('s0v0');
    testbed.moves.live.faults.fail('seal', corrupt, 1);
    const { report } = await testbed.run({ moves: testbed.listed(THREE), options: { concurrency: { all: 1 } } });
    expect(report).toMatchObject({ outcome: 'complete', counts: { moved: 2, failed: 1 } });
    expect(report.failures).toMatchObject([{ seq: 0, volumes: ['s0v0'], tries: 1, code: 'CORRUPT' }]);
    expect(report.failures[0]?.move).toMatch(/\/0-s0v0@/);
    expect(testbed.moves.live.groupOf('s0v0')).toBe(before);
  });

  test.each([
    { limit: { count: 2 }, failed: 2 },
    { limit: { percent: 50 }, failed: 2 },
    { limit: { percent: 26 }, failed: 2 },
    { limit: { count: 3, percent: 25 }, failed: 1 },
    { limit: { count: 1, percent: 75 }, failed: 1 },
  ])('stop-after $limit ends four moves after $failed failures, and its schedule can see that', async (one) => {
    const { limit, failed } = one;
    testbed.moves.live.faults.fail('seal', corrupt, failed);
    const handle = await startBatch(testbed.moves, {
      moves: testbed.listed(FOUR),
      options: { concurrency: { all: 1 }, failures: { policy: 'stop-after', ...limit } },
    });
    const failure = await failureOf(handle);
    expect(failure).toMatchObject({ type: 'BATCH_STOPPED', nonRetryable: true });
    const report = reportIn(failure);
    expect(report).toMatchObject({ outcome: 'stopped', counts: { moved: 0, failed, waiting: 4 - failed } });
    expect(report.summary).toContain(`${failed} of 4 moves failed`);
    expect(await storedReportOf(testbed.moves, handle)).toEqual(report);
  });

  test('stop-after lets the running ones finish, and grants nothing but an abort meanwhile', async () => {
    const hold = testbed.moves.live.faults.hold('open', 'before');
    const handle = await startBatch(testbed.moves, {
      moves: testbed.listed(FOUR),
      options: { concurrency: { all: 2 }, failures: { policy: 'stop-after', count: 1 } },
    });
    await hold.reached;
    testbed.moves.live.faults.fail('seal', corrupt, 1);
    await untilBatch(handle, 'the failure', ({ stage }) => stage === 'stopping');
    const why =
      'The batch is stopping and takes no further requests: 1 of 4 moves failed, which is the limit of the failure policy.';
    const concurrency = { all: 3 };
    for (const update of ['pause', 'resume', 'retryFailed', 'approve'])
      expect(await refusalOf(ask(handle, update)), update).toBe(why);
    expect(await refusalOf(ask(handle, 'setConcurrency', { concurrency }))).toBe(why);
    expect(await refusalOf(ask(handle, 'skip', { volume: 's0v3' }))).toBe(why);
    expect(await ask(handle, 'abort')).toBe('Aborting: no further move starts. Running moves (1) finish.');
    hold.release();
    const report = reportIn(await failureOf(handle));
    expect(report).toMatchObject({ outcome: 'stopped', counts: { moved: 1, failed: 1, waiting: 2 } });
  });

  test('stop-now puts the running ones back', async () => {
    const hold = testbed.moves.live.faults.hold('drain', 'before');
    const handle = await startBatch(testbed.moves, {
      moves: testbed.listed(['s0v0', 's0v1']),
      options: { failures: { policy: 'stop-now' } },
    });
    const before = ['s0v0', 's0v1'].map((volume) => testbed.moves.live.groupOf(volume));
    await hold.reached;
    testbed.moves.live.faults.fail('seal', corrupt, 1);
    const report = reportIn(await failureOf(handle));
    hold.release();
    expect(report.counts).toMatchObject({ moved: 0, failed: 1, cancelled: 1 });
    expect(['s0v0', 's0v1'].map((volume) => testbed.moves.live.groupOf(volume))).toEqual(before);
  });

  test('a failed move is tried again after a pause, as a move of its own', async () => {
    testbed.moves.live.faults.fail('seal', corrupt, 2);
    const { handle, report } = await testbed.run({
      moves: testbed.listed(['s0v0']),
      options: { retries: { max: 2, backoffMs: 100 } },
    });
    expect(report.counts).toMatchObject({ moved: 1, failed: 0 });
    const tries = await moveReportsOf(testbed.moves, handle);
    expect(tries.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'moved']);
    expect(tries.map(({ move }) => move.split('@')[0])).toEqual(
      ['', '-try-2', '-try-3'].map((suffix) => `${handle.workflowId}/0-s0v0${suffix}`),
    );
    // The second pause is twice the first one of 100 ms; clocks of two processes differ a little.
    expect((tries[2]?.startedAtMs ?? 0) - (tries[1]?.endedAtMs ?? 0)).toBeGreaterThan(150);
  });

  test('the failed moves of an earlier batch can be a batch', async () => {
    testbed.moves.live.faults.fail('seal', corrupt, 1);
    const { handle } = await testbed.run({ moves: testbed.listed(THREE), options: { concurrency: { all: 1 } } });
    const target = testbed.elsewhere('s0v0');
    const { report } = await testbed.run({ failedOf: batchIdOf(handle) });
    expect(report.counts).toMatchObject({ planned: 1, moved: 1 });
    expect(testbed.moves.live.groupOf('s0v0')).toBe(target);
  });
});
