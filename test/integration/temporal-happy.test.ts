// A move without faults on the real Temporal server, while the guest writes.
import { workflowMetadataQuery } from '@temporalio/workflow';
import { afterEach, expect, test } from 'vitest';
import { MOVE_STEPS, moveProgressSchema, moveReportSchema } from '../../contracts/move.js';
import { activitiesOf, eventsOf, failedTasksOf, Moves, runsOf, summariesOf } from './support/moves.js';

let moves: Moves;
afterEach(async () => moves.stop());

test('a move is exactly five activities, each done at its first try, and its timeline reads as the steps', async () => {
  moves = await Moves.start();
  const handle = await moves.move({ volume: 's0v0', to: 'g2', operator: 'ann', reason: 'tier change' });
  const report = moveReportSchema.parse(await handle.result());
  expect(await activitiesOf(handle)).toEqual(MOVE_STEPS);
  expect(await summariesOf(handle)).toEqual(MOVE_STEPS.map((step, i) => `${i + 1}/5 ${step} s0v0`));
  expect(await runsOf(handle)).toEqual(MOVE_STEPS.map(() => ({ identity: 'worker-1', attempt: 1 })));
  // Four upserts of search attributes and the marker of the stored report come with tasks that
  // there are anyway. So do the marker of the ticket floor, and the two events of its patch.
  expect((await eventsOf(handle)).length).toBeLessThanOrEqual(5 + 6 * MOVE_STEPS.length + 5 + 3);
  expect(report).toMatchObject({
    outcome: 'moved',
    completedForward: false,
    operator: 'ann',
    reason: 'tier change',
    abortedAttempts: [],
    from: { group: 'g1' },
    to: { group: 'g2' },
  });
  expect(report.move).toBe(`${handle.workflowId}@${handle.firstExecutionRunId}`);
  expect(report.volumes).toMatchObject([{ volume: 's0v0', epochBefore: 1, epochAfter: 2, holes: [] }]);
  expect(moves.live.groupOf('s0v0')).toBe('g2');
  await moves.live.checkPromises();
});

test('progress can be queried during a move and after it', async () => {
  moves = await Moves.start();
  const drain = moves.live.faults.hold('drain', 'before');
  const handle = await moves.move({ volume: 's0v1', to: 'g3' });
  await drain.reached;
  expect(moveProgressSchema.parse(await handle.query('progress'))).toMatchObject({
    stage: 'flush',
    from: 'g1',
    to: 'g3',
    attempt: 1,
    steps: [{ step: 'notify' }],
  });
  drain.release();
  await handle.result();
  const after = moveProgressSchema.parse(await handle.query('progress'));
  expect(after).toMatchObject({ stage: 'done', verdict: 'COMMITTED' });
  expect(after.steps.map(({ step }) => step)).toEqual(MOVE_STEPS);
  const metadata = await handle.query(workflowMetadataQuery);
  expect(metadata.currentDetails).toContain('Stage **done**, attempt 1, verdict **COMMITTED**');
  expect(metadata.definition?.queryDefinitions?.find(({ name }) => name === 'progress')?.description).toContain(
    'State of the move',
  );
});

test('volumes of two splitters leave at one cut, and their timeline names the first and counts the rest', async () => {
  moves = await Moves.start({ splitters: 2, volumesPerSplitter: 2 });
  const handle = await moves.move({ volumes: ['s0v0', 's0v1', 's1v0'], to: 'g2' });
  const report = await handle.result();
  expect(report.volumes.map(({ volume }) => volume).toSorted()).toEqual(['s0v0', 's0v1', 's1v0']);
  expect((await summariesOf(handle)).at(1)).toMatch(/^2\/5 flush s0v0 and 2 more/);
  await moves.live.checkPromises();
});

test('a workflow id with spaces and letters of any script is a move id all the same', async () => {
  moves = await Moves.start();
  const handle = await moves.move({ volume: 's0v0', to: 'g2' }, `Umzug für 東京 100% ${moves.taskQueue}`);
  const report = await handle.result();
  expect(report.move).toMatch(/^Umzug%20f%C3%BCr%20%E6%9D%B1%E4%BA%AC%20100%25%20test-/);
  expect(await failedTasksOf(handle)).toBe(0);
});

test('there and back again under one workflow id is two moves', async () => {
  moves = await Moves.start();
  const there = await (await moves.move({ volume: 's0v0', to: 'g2' }, `again-${moves.taskQueue}`)).result();
  const back = await (await moves.move({ volume: 's0v0', to: 'g1' }, `again-${moves.taskQueue}`)).result();
  expect(there.move).not.toBe(back.move);
  expect(moves.live.epochOf('s0v0')).toBe(3);
  await moves.live.checkPromises();
});
