// Every move leaves its report at the replica site, whatever its end, and can be searched by what
// it does.
import { WorkflowFailedError } from '@temporalio/client';
import { afterEach, describe, expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { moveIdSchema } from '../../contracts/ids.js';
import { MOVE_STEPS } from '../../contracts/move.js';
import { storedMoveReportSchema, type StoredMoveReport } from '../../contracts/report.js';
import { keywordOf } from '../../contracts/search-attributes.js';
import { SEARCH_KEYS } from '../../contracts/search-pairs.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';
import { activitiesOf, eventsOf, failedTasksOf, Moves, type MoveHandle } from './support/moves.js';

let moves: Moves;
afterEach(async () => moves.stop());

function storedOf(handle: MoveHandle): StoredMoveReport {
  const move = moveIdSchema.parse(`${handle.workflowId}@${handle.firstExecutionRunId}`);
  return storedMoveReportSchema.parse(moves.live.world.reports.get(move));
}

async function searchable(handle: MoveHandle): Promise<Record<string, unknown>> {
  const { typedSearchAttributes: found } = await handle.describe();
  return Object.fromEntries(Object.entries(SEARCH_KEYS).map(([name, key]) => [name, found.get(key)]));
}

describe('a move leaves its report', () => {
  test('when it is done, for one marker; two more are of the ticket that it reads before it begins', async () => {
    moves = await Moves.start();
    const batch = { batch: 'nightly@1', seq: 7 };
    const handle = await moves.move({ volume: 's0v0', to: 'g2', operator: 'ann', reason: 'tier', batch });
    const report = await handle.result();
    expect(storedOf(handle)).toMatchObject({
      outcome: 'moved',
      volumes: ['s0v0'],
      from: 'g1',
      to: 'g2',
      operator: 'ann',
      reason: 'tier',
      batch: 'nightly@1',
      seq: 7,
      report,
    });
    expect(await activitiesOf(handle)).toEqual(MOVE_STEPS);
    const markers = (await eventsOf(handle)).filter((event) => event.markerRecordedEventAttributes);
    const names = markers.map(({ markerRecordedEventAttributes: marker }) => marker?.markerName);
    expect(names).toEqual(['core_patch', 'core_local_activity', 'core_local_activity']);
    expect(await failedTasksOf(handle)).toBe(0);
  });

  test('when it failed: how far it came, and why', async () => {
    moves = await Moves.start();
    moves.live.faults.fail('bookmark', new MoverError('CORRUPT', 'A checksum is wrong.'), 1);
    const handle = await moves.move({ volume: 's0v0', to: 'g2' });
    await expect(handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    const stored = storedOf(handle);
    expect(stored).toMatchObject({ outcome: 'failed', from: 'g1', problem: { code: 'CORRUPT' } });
    expect(stored.progress?.steps.map(({ step }) => step)).toEqual([
      'notify',
      'flush',
      'snapshot',
      'bookmark',
      'resolve',
      'learn',
    ]);
  });

  test('when it was refused by the plan', async () => {
    moves = await Moves.start();
    const handle = await moves.move({ volume: 's0v0', to: 'nowhere' });
    await expect(handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    expect(storedOf(handle)).toMatchObject({
      outcome: 'failed',
      to: 'nowhere',
      problem: { code: 'MOVE_REFUSED', reasons: [{ code: 'GROUP_NOT_FOUND' }] },
    });
  });

  test('when its input was not accepted but names volumes', async () => {
    moves = await Moves.start();
    const handle = await moves.startAny('moveVolume', [{ volume: 's0v0', to: 'g2', target: 'g2' }]);
    await expect(handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    expect(storedOf(handle)).toMatchObject({ outcome: 'failed', problem: { code: 'INVALID_REQUEST' } });
    expect(await searchable(handle)).toMatchObject({ Volumes: ['s0v0'], Outcome: 'failed', Stage: 'failed' });
  });

  test('when it was cancelled', async () => {
    moves = await Moves.start();
    const hold = moves.live.faults.hold('drain', 'before');
    const handle = await moves.move({ volume: 's0v0', to: 'g2' });
    await hold.reached;
    await handle.cancel();
    hold.release();
    await expect(handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    expect(storedOf(handle)).toMatchObject({ outcome: 'cancelled', progress: { stage: 'failed', verdict: 'ABORTED' } });
    expect((await handle.describe()).status.name).toBe('CANCELLED');
  });

  test('by an ordinary activity when it can not be stored at once', async () => {
    moves = await Moves.start();
    moves.live.faults.fail('storeReport', new MoverError('UNREACHABLE', 'The line is dead.'), 10);
    const handle = await moves.move({ volume: 's0v0', to: 'g2' });
    const report = await handle.result();
    expect((await activitiesOf(handle)).at(-1)).toBe('storeReport');
    expect(storedOf(handle).report).toEqual(report);
  });

  test('or ends as it would have, when it can not be stored at all', async () => {
    moves = await Moves.start();
    moves.live.faults.fail('storeReport', new MoverError('CORRUPT', 'The disk is gone.'), 10);
    const handle = await moves.move({ volume: 's0v0', to: 'g2' });
    expect(await handle.result()).toMatchObject({ outcome: 'moved' });
    expect(() => storedOf(handle)).toThrow('no report');
    await moves.live.checkPromises();
  });
});

describe('search attributes', () => {
  test('started by hand, a move sets all of them: what it moves at once, then where it is, then how it ended', async () => {
    moves = await Moves.start();
    const seal = moves.live.faults.hold('seal', 'before');
    const batch = `${'night'.repeat(52)}@1`;
    const handle = await moves.move({ volumes: ['s0v0', 's0v1'], to: 'g2', batch: { batch, seq: 0 } });
    await seal.reached;
    expect(await searchable(handle)).toEqual({
      Volumes: ['s0v0', 's0v1'],
      FromGroup: 'g1',
      ToGroup: 'g2',
      Stage: 'fenced',
      Outcome: undefined,
      BatchId: keywordOf(batch),
    });
    seal.release();
    await handle.result();
    expect(await searchable(handle)).toMatchObject({ Stage: 'done', Outcome: 'moved' });
    const query = `Volumes = 's0v1' AND FromGroup = 'g1' AND Outcome = 'moved' AND WorkflowId = '${handle.workflowId}'`;
    await untilTrue('the move in the listing', PATIENCE_MS, async () => {
      return (await moves.client.workflow.count(query)).count === 1;
    });
    const upserts = (await eventsOf(handle)).flatMap(({ upsertWorkflowSearchAttributesEventAttributes: upsert }) =>
      (upsert ?? undefined) === undefined ? [] : [Object.keys(upsert?.searchAttributes?.indexedFields ?? {})],
    );
    // One more is the SDK's own: it says which patches the workflow has.
    expect(upserts.filter((keys) => !keys.includes('TemporalChangeVersion'))).toHaveLength(4);
    expect(upserts).toHaveLength(5);
  });

  test('of a move of 64 volumes with the longest names stay within what the server takes', async () => {
    moves = await Moves.start();
    const volumes = Array.from({ length: 64 }, (_, i) => `${'v'.repeat(62)}${10 + i}`);
    const handle = await moves.move({ volumes, to: 'g2' });
    await expect(handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    const found = await searchable(handle);
    expect(found).toMatchObject({ Stage: 'failed', ToGroup: 'g2' });
    expect(volumes.slice(0, 29)).toEqual(found['Volumes']);
    expect(await failedTasksOf(handle)).toBe(0);
  });
});

describe('a move that may not raise its fence any more', () => {
  test('does not open an attempt, and ends with everything as before', async () => {
    moves = await Moves.start();
    const handle = await moves.move({ volume: 's0v0', to: 'g2', options: { fenceByMs: Date.now() - 1 } });
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'WINDOW_CLOSED', nonRetryable: true } });
    expect(moves.live.faults.called).not.toContain('open');
    expect(storedOf(handle)).toMatchObject({ outcome: 'failed', problem: { code: 'WINDOW_CLOSED' } });
    await moves.live.checkPromises();
  });

  test('gives up while it waits for small lag, without another attempt', async () => {
    moves = await Moves.start();
    const fenceByMs = Date.now() + 10_000;
    const lag = moves.live.faults.hold('lag', 'before');
    const handle = await moves.move({ volume: 's0v0', to: 'g2', options: { fenceByMs } });
    await lag.reached;
    await untilTrue('the end of the window', PATIENCE_MS, async () => Date.now() > fenceByMs);
    lag.release();
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'WINDOW_CLOSED' } });
    expect(moves.live.faults.called).not.toContain('fence');
    expect(moves.live.groupOf('s0v0')).toBe('g1');
    expect(storedOf(handle).progress).toMatchObject({ attempt: 1, verdict: 'ABORTED' });
    await moves.live.checkPromises();
  });

  test('finishes when the fence was up in time', async () => {
    moves = await Moves.start();
    const fenceByMs = Date.now() + 10_000;
    const drain = moves.live.faults.hold('drain', 'before');
    const handle = await moves.move({ volume: 's0v0', to: 'g2', options: { fenceByMs } });
    await drain.reached;
    await untilTrue('the end of the window', PATIENCE_MS, async () => Date.now() > fenceByMs);
    drain.release();
    expect(await handle.result()).toMatchObject({ outcome: 'moved' });
    await moves.live.checkPromises();
  });
});
