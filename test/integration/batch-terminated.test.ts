// A batch that is terminated at the worst of instants, and what is started anew afterwards: nothing
// moves twice.
import { afterEach, expect, test } from 'vitest';
import type { BatchInput } from '../../contracts/batch.js';
import { MoverError } from '../../contracts/errors.js';
import { PATIENCE_MS, until, untilTrue } from '../support/until.js';
import { runsOf } from './support/batch-history.js';
import { type BatchHandle, moveReportsOf, startBatch, untilBatch } from './support/batches.js';
import { Moves } from './support/moves.js';

let moves: Moves;
afterEach(async () => moves.stop());

const INPUT: BatchInput = { select: { from: 'g1' }, to: 'g2', options: { concurrency: { all: 3 } } };

async function start(): Promise<void> {
  moves = await Moves.start({ volumesPerSplitter: 12, runEventsMax: 40 });
}

/**
 * Terminates it as soon as a run has been followed by a new one.
 * @returns the run that was terminated
 */
async function terminateAfterNewRun(handle: BatchHandle): Promise<string> {
  const newest = moves.client.workflow.getHandle(handle.workflowId);
  const runId = await until('a new run', PATIENCE_MS, async () => {
    const { runId: known } = await newest.describe();
    return known === handle.firstExecutionRunId ? undefined : known;
  });
  await newest.terminate('a test');
  return runId;
}

/** Its first move has an open attempt and gets no further until it is released. */
function holdFirst(): { readonly reached: () => Promise<void>; readonly release: () => void } {
  let isReached = false;
  let isReleased = false;
  moves.live.faults.next('notify', 1_000_000, async (call, input) => {
    if (isReleased || !JSON.stringify(input).includes('"s0v0"')) return call();
    isReached = true;
    throw new MoverError('UNREACHABLE', 'The line is dead.');
  });
  return {
    reached: async () => untilTrue('the first move', PATIENCE_MS, async () => isReached),
    release: () => {
      isReleased = true;
    },
  };
}

function epochs(): number[] {
  return moves.live.world.volumes.map((volume) => moves.live.epochOf(volume));
}

test.each(['the same', 'another'])(
  'terminated in a new run, its moves run on, and a batch under %s id makes the rest',
  async (id) => {
    const isSameId = id === 'the same';
    await start();
    // The first move of all is still under way in every run, and is found by what is started anew.
    const hold = holdFirst();
    const first = await startBatch(moves, INPUT);
    await hold.reached();
    const terminated = await terminateAfterNewRun(first);
    expect((await runsOf(moves, first)).length).toBeGreaterThan(1);
    expect(moves.live.groupOf('s0v0')).toBe('g1');
    const left = moves.live.world.volumes.filter((volume) => moves.live.groupOf(volume) === 'g1');
    expect(left.length).toBeGreaterThan(1);

    const second = await startBatch(moves, INPUT, isSameId ? first.workflowId : undefined);
    // A new run of the batch knows the volumes of a move once it has read them.
    await untilBatch(
      second,
      'only the first move is under way',
      ({ counts, longest }) => counts.waiting === 0 && counts.running === 1 && longest[0]?.volumes[0] === 's0v0',
    );
    hold.release();
    const report = await second.result();
    expect(report).toMatchObject({ outcome: 'complete', counts: { failed: 0, cancelled: 0, waiting: 0 } });
    // It found its work done when its turn came.
    expect(report.counts.alreadyThere).toBeGreaterThan(0);
    const refusedStarts = (await runsOf(moves, second)).flatMap(({ events }) =>
      (events ?? []).filter((event) => event.startChildWorkflowExecutionFailedEventAttributes),
    );
    if (isSameId) expect(refusedStarts.length).toBeGreaterThan(0);
    else expect(refusedStarts).toEqual([]);

    expect(await moves.client.workflow.getHandle(first.workflowId, terminated).describe()).toMatchObject({
      status: { name: 'TERMINATED' },
    });
    expect(epochs()).toEqual(moves.live.world.volumes.map(() => 2));
    const outcomes = [...(await moveReportsOf(moves, first)), ...(await moveReportsOf(moves, second))];
    const moved = outcomes.filter(({ outcome }) => outcome === 'moved').flatMap(({ volumes }) => volumes);
    expect(moved.toSorted()).toEqual([...moves.live.world.volumes].toSorted());
    await moves.live.checkPromises();
  },
);
