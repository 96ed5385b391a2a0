// What a batch moves, and what it leaves alone, on the real Temporal server.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BatchTestbed, THREE } from './support/batch-testbed.js';
import { ask, failureOf, startBatch, storedReportOf } from './support/batches.js';

let testbed: BatchTestbed;
beforeAll(async () => {
  testbed = await BatchTestbed.start();
});
afterEach(async () => testbed.checkPromises());
afterAll(async () => testbed.stop());

test('a dry run plans every move, changes nothing, and reports', async () => {
  const there = testbed.moves.live.groupOf('s0v5');
  const before = THREE.map((volume) => testbed.moves.live.epochOf(volume));
  const hold = testbed.moves.live.faults.hold('open', 'after');
  const busy = await testbed.moves.move({ volume: 's0v2', to: testbed.elsewhere('s0v2') });
  await hold.reached;
  const { handle, report } = await testbed.run({
    moves: [...testbed.listed(THREE), { volume: 's0v5', to: there }, { volume: 'no-such', to: 'g1' }],
    dryRun: true,
  });
  hold.release();
  await busy.result();
  expect(report).toMatchObject({
    outcome: 'dry-run',
    counts: { planned: 3, waiting: 2, failed: 1, alreadyThere: 1, refused: 1, moved: 0 },
    failures: [{ volumes: ['s0v2'], code: 'VOLUME_BUSY' }],
    leftOut: [{ volumes: ['no-such'], code: 'VOLUME_NOT_FOUND' }],
  });
  expect(await storedReportOf(testbed.moves, handle)).toEqual(report);
  expect(THREE.slice(0, 2).map((volume) => testbed.moves.live.epochOf(volume))).toEqual(before.slice(0, 2));
});

test('what is there already is skipped, when planned and when its turn comes', async () => {
  const [first, second] = testbed.listed(['s0v0', 's0v1']);
  if (first === undefined || second === undefined) throw new Error('two are listed');
  const hold = testbed.moves.live.faults.hold('open', 'before');
  const handle = await startBatch(testbed.moves, {
    moves: [first, second, { volume: 's0v2', to: testbed.moves.live.groupOf('s0v2') }],
    options: { concurrency: { all: 1 } },
  });
  await hold.reached;
  await (await testbed.moves.move({ volume: 's0v1', to: second.to })).result();
  hold.release();
  expect((await handle.result()).counts).toMatchObject({ planned: 2, moved: 1, alreadyThere: 2 });
});

test('volumes that come into the selection meanwhile are reported', async () => {
  const from = testbed.moves.live.groupOf('s0v0');
  const added = testbed.moves.live.world.volumes.find((volume) => testbed.moves.live.groupOf(volume) !== from);
  if (added === undefined) throw new Error('all volumes are in one group');
  const hold = testbed.moves.live.faults.hold('open', 'before');
  const handle = await startBatch(testbed.moves, { select: { from, name: 's0v*' }, to: 'g3' });
  await hold.reached;
  await (await testbed.moves.move({ volume: added, to: from })).result();
  hold.release();
  expect(await handle.result()).toMatchObject({ outcome: 'complete', addedMeanwhile: [added], removedMeanwhile: [] });
});

test('a batch that is to verify says so to its moves', async () => {
  const hold = testbed.moves.live.faults.hold('open', 'before');
  const handle = await startBatch(testbed.moves, { moves: testbed.listed(['s0v0']), options: { verify: true } });
  await hold.reached;
  const child: unknown = await testbed.moves.client.workflow
    .getHandle(`${handle.workflowId}/0-s0v0`)
    .fetchHistory()
    .then((history) => history.events?.[0]);
  const started = child as {
    workflowExecutionStartedEventAttributes?: { input?: { payloads?: { data?: Uint8Array }[] } };
  };
  const data = started.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data ?? [];
  expect(JSON.parse(Buffer.from(data).toString())).toMatchObject({ verify: true });
  await ask(handle, 'abort', { running: 'roll-back' });
  expect(await handle.result()).toMatchObject({ outcome: 'incomplete', counts: { cancelled: 1 } });
  hold.release();
});

describe('an input that is not accepted says what is', () => {
  test.each([
    {
      what: 'too many moves',
      input: { moves: Array.from({ length: 2_001 }, (_, i) => ({ volume: `v${i}`, to: 'g' })) },
      says: 'at most 2000 moves; name more by "select"',
    },
    {
      what: 'too many bytes',
      input: {
        moves: Array.from({ length: 1_999 }, (_, i) => ({ volume: `v${i}`.padEnd(64, 'x'), to: 'g'.repeat(64) })),
      },
      says: 'Select the volumes by "select"',
    },
    { what: 'no volumes', input: {}, says: 'give exactly one of "moves", "select" and "failedOf"' },
    { what: 'a selector of nothing', input: { select: {}, to: 'g1' }, says: 'name at least one of "from"' },
    {
      what: 'a selector without a target',
      input: { select: { from: 'g1' } },
      says: 'give exactly one of "to" and "map"',
    },
    {
      what: 'a group that is not there',
      input: { select: { from: 'g1' }, to: 'g9' },
      says: 'no consistency group "g9"',
    },
    {
      what: 'a source group that is not there',
      input: { select: { from: ['g1', 'g8'] }, to: 'g2' },
      says: 'select.from: there is no consistency group "g8"',
    },
    { what: 'an unknown batch', input: { failedOf: 'b@1' }, says: 'has no plan of batch "b@1"' },
  ])('$what', async ({ input, says }) => {
    const failure = await failureOf(await startBatch(testbed.moves, input));
    expect(failure.message).toContain(says);
  });
});
