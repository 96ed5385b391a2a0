// What people can ask of a running batch, on the real Temporal server.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BatchTestbed, corrupt, THREE } from './support/batch-testbed.js';
import {
  ask,
  failureOf,
  moveReportsOf,
  progressOf,
  refusalOf,
  reportIn,
  startBatch,
  untilBatch,
  untilCounts,
} from './support/batches.js';

let testbed: BatchTestbed;
beforeAll(async () => {
  testbed = await BatchTestbed.start();
});
afterEach(async () => testbed.checkPromises());
afterAll(async () => testbed.stop());

describe('a canary', () => {
  const options = { canary: { count: 1 }, concurrency: { all: 3 } };

  test('goes first, and the others wait until somebody approves', async () => {
    const hold = testbed.moves.live.faults.hold('open', 'before');
    const handle = await startBatch(testbed.moves, { moves: testbed.listed(THREE), options });
    await hold.reached;
    expect(await refusalOf(ask(handle, 'approve'))).toContain('The canary, the first moves of the batch, still runs');
    hold.release();
    expect(await untilBatch(handle, 'the wait', ({ stage }) => stage === 'waiting-for-approval')).toMatchObject({
      counts: { moved: 1, running: 0, waiting: 2 },
    });
    const others = testbed.moves.live.faults.hold('open', 'before');
    expect(await ask(handle, 'approve')).toBe('Approved. Moves waiting to start: 2.');
    await others.reached;
    expect(await refusalOf(ask(handle, 'approve'))).toBe('The canary was approved already.');
    others.release();
    expect((await handle.result()).counts).toMatchObject({ moved: 3 });
  });

  test('that fails stops a batch that nobody is to approve', async () => {
    testbed.moves.live.faults.fail('seal', corrupt, 1);
    const handle = await startBatch(testbed.moves, {
      moves: testbed.listed(THREE),
      options: { ...options, canary: { count: 1, approval: false } },
    });
    const report = reportIn(await failureOf(handle));
    expect(report).toMatchObject({ outcome: 'stopped', counts: { failed: 1, waiting: 2 } });
    expect(report.summary).toContain('1 of the first 1 moves failed.');
  });

  test('that fails is looked at, tried again on request, and looked at once more', async () => {
    testbed.moves.live.faults.fail('seal', corrupt, 1);
    const handle = await startBatch(testbed.moves, { moves: testbed.listed(THREE), options });
    await untilBatch(
      handle,
      'the wait',
      ({ stage, counts }) => stage === 'waiting-for-approval' && counts.failed === 1,
    );
    expect(await ask(handle, 'retryFailed')).toBe('Failed moves queued again: 1.');
    await untilBatch(handle, 'the wait', ({ stage, counts }) => stage === 'waiting-for-approval' && counts.moved === 1);
    expect((await progressOf(handle)).counts).toMatchObject({ failed: 0, running: 0, waiting: 2 });
    await ask(handle, 'approve');
    expect((await handle.result()).counts).toMatchObject({ moved: 3, failed: 0 });
  });

  test('that succeeds lets a batch go on by itself when nobody is to approve', async () => {
    const { report } = await testbed.run({
      moves: testbed.listed(THREE),
      options: { ...options, canary: { count: 1, approval: false } },
    });
    expect(report.counts).toMatchObject({ moved: 3 });
  });
});

test('updates go by their earlier names, too', async () => {
  const options = { canary: { count: 1 }, concurrency: { all: 1 } };
  const handle = await startBatch(testbed.moves, { moves: testbed.listed(THREE), options });
  await untilBatch(handle, 'the wait', ({ stage }) => stage === 'waiting-for-approval');
  await ask(handle, 'approveCanary');
  expect(await progressOf(handle)).toMatchObject({ lastRequest: 'approve by ann: a test' });
  expect((await handle.result()).counts).toMatchObject({ moved: 3 });
});

describe('updates', () => {
  test('steer a batch, and what can not be done is refused in a sentence', async () => {
    const hold = testbed.moves.live.faults.hold('open', 'before');
    const handle = await startBatch(testbed.moves, {
      moves: testbed.listed(['s0v0', 's0v1', 's0v2', 's0v3']),
      options: { concurrency: { all: 1 } },
    });
    await hold.reached;
    expect(await refusalOf(ask(handle, 'resume'))).toBe('The batch is not paused, so it cannot be resumed.');
    expect(await refusalOf(ask(handle, 'retryFailed'))).toContain('No move of the batch has failed');
    expect(await refusalOf(ask(handle, 'approve'))).toContain('The batch has no canary');
    expect(await refusalOf(ask(handle, 'skip', { volume: 's0v0' }))).toContain('is being moved now');
    expect(await refusalOf(ask(handle, 'skip', { volume: 's0v5' }))).toContain('has no move of volume "s0v5"');
    expect(await refusalOf(ask(handle, 'pause', { operator: '' }))).toContain('operator');
    expect(await refusalOf(ask(handle, 'setConcurrency', { concurrency: { all: 0 } }))).toContain('concurrency.all');
    expect(await ask(handle, 'pause')).toBe(
      'Paused: no further move starts. Running moves (1) finish, the others (3) wait. To go on: resume.',
    );
    expect(await refusalOf(ask(handle, 'pause'))).toBe('The batch is paused already.');
    expect(await ask(handle, 'skip', { volume: 's0v2' })).toBe('The batch will skip the move of s0v2.');
    hold.release();
    await untilCounts(handle, ({ moved, running }) => moved === 1 && running === 0);
    expect(await progressOf(handle)).toMatchObject({ stage: 'paused', lastRequest: 'skip by ann: a test' });
    expect(await refusalOf(ask(handle, 'skip', { volume: 's0v0' }))).toContain('has ended already');
    const second = testbed.moves.live.faults.hold('open', 'before');
    await ask(handle, 'setConcurrency', { concurrency: { all: 2 } });
    await ask(handle, 'resume');
    await second.reached;
    await untilCounts(handle, ({ running }) => running === 2);
    second.release();
    expect((await handle.result()).counts).toMatchObject({ moved: 3, skipped: 1 });
  });

  test('failed moves get another turn, and an abort rolls running ones back', async () => {
    testbed.moves.live.faults.fail('seal', corrupt, 1);
    const hold = testbed.moves.live.faults.hold('bookmark', 'before');
    const handle = await startBatch(testbed.moves, {
      moves: testbed.listed(['s0v0', 's0v1', 's0v2']),
      options: { concurrency: { all: 1 } },
    });
    await hold.reached;
    expect((await progressOf(handle)).failures).toMatchObject([{ volumes: ['s0v0'], code: 'CORRUPT' }]);
    expect(await ask(handle, 'retryFailed')).toBe('Failed moves queued again: 1.');
    expect((await progressOf(handle)).counts).toMatchObject({ failed: 0, waiting: 2, running: 1 });
    hold.release();
    const last = testbed.moves.live.faults.hold('bookmark', 'before');
    await last.reached;
    const { longest } = await progressOf(handle);
    expect(longest).toMatchObject([{ volumes: ['s0v0'] }]);
    expect(await ask(handle, 'abort', { running: 'roll-back' })).toBe(
      'Aborting: no further move starts. Running moves (1) roll back unless they are committed.',
    );
    expect(await handle.result()).toMatchObject({
      outcome: 'incomplete',
      counts: { moved: 1, cancelled: 1, waiting: 1 },
    });
    last.release();
  });

  test('a failed move that gets another turn is made in the same batch, as a move of its own', async () => {
    testbed.moves.live.faults.fail('seal', corrupt, 1);
    const hold = testbed.moves.live.faults.hold('bookmark', 'before');
    const handle = await startBatch(testbed.moves, {
      moves: testbed.listed(THREE),
      options: { concurrency: { all: 1 } },
    });
    await hold.reached;
    expect((await progressOf(handle)).counts).toMatchObject({ failed: 1, running: 1 });
    await ask(handle, 'retryFailed');
    expect(await refusalOf(ask(handle, 'retryFailed'))).toContain('No move of the batch has failed');
    hold.release();
    const report = await handle.result();
    expect(report).toMatchObject({ outcome: 'complete', failures: [], counts: { moved: 3, failed: 0 } });
    const reports = await moveReportsOf(testbed.moves, handle);
    expect(reports.map(({ move, outcome }) => [move.split('@')[0], outcome])).toEqual([
      [`${handle.workflowId}/0-s0v0`, 'failed'],
      [`${handle.workflowId}/0-s0v0-again-1`, 'moved'],
      [`${handle.workflowId}/1-s0v1`, 'moved'],
      [`${handle.workflowId}/2-s0v2`, 'moved'],
    ]);
  });

  test('an abort lets running moves finish, unless a later one is stricter', async () => {
    const before = testbed.groupsOf(THREE);
    const hold = testbed.moves.live.faults.hold('open', 'before');
    const moves = testbed.listed(THREE);
    const handle = await startBatch(testbed.moves, { moves, options: { concurrency: { all: 1 } } });
    await hold.reached;
    expect(await ask(handle, 'abort')).toBe('Aborting: no further move starts. Running moves (1) finish.');
    expect(await progressOf(handle)).toMatchObject({ stage: 'stopping', counts: { running: 1, waiting: 2 } });
    hold.release();
    const report = await handle.result();
    expect(report).toMatchObject({ outcome: 'incomplete', counts: { moved: 1, waiting: 2 } });
    expect(report.summary).toContain('ann aborted the batch: a test.');
    expect(testbed.groupsOf(THREE)).toEqual([moves[0]?.to, ...before.slice(1)]);

    const again = testbed.moves.live.faults.hold('open', 'before');
    const second = await startBatch(testbed.moves, {
      moves: testbed.listed(THREE),
      options: { concurrency: { all: 1 } },
    });
    await again.reached;
    await ask(second, 'abort');
    expect(await ask(second, 'abort', { running: 'roll-back' })).toContain('Running moves (1) roll back');
    expect(await refusalOf(ask(second, 'abort'))).toContain('its running moves roll back');
    again.release();
    expect(await second.result()).toMatchObject({ outcome: 'incomplete', counts: { cancelled: 1, waiting: 2 } });
  });
});
