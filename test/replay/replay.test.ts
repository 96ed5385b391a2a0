// Every recorded history runs through today's workflow code to the same commands: moves and batches
// that are under way survive a deployment.
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { describe, expect, inject, test } from 'vitest';
import { type History, historyNames, readHistory, workflowIdOf } from './histories.js';

Runtime.install({ logger: new DefaultLogger('ERROR') });

async function replay(history: History, workflowId = workflowIdOf(history)): Promise<unknown> {
  const results = Worker.runReplayHistories({ workflowBundle: { codePath: inject('workflowBundlePath') } }, [
    { workflowId, history },
  ]);
  for await (const { error } of results) return error;
  throw new Error('nothing was replayed');
}

test('there is a history of each way a move can end, and of the runs of a batch', () => {
  expect(historyNames()).toEqual(
    expect.arrayContaining([
      'aborted',
      'aborted-by-a-person',
      'approved',
      'batch-1',
      'batch-2',
      'cancelled',
      'completed-forward',
      'happy',
      'invalid-input',
      'next-attempt',
      'paused-and-resumed',
      'queued',
      'report-stored-later',
      'retried',
      'started-searchable',
      'unknown-workflow',
    ]),
  );
});

describe('a recorded history replays', () => {
  test.each(historyNames())('%s', async (name) => {
    expect(await replay(readHistory(name))).toBeUndefined();
  });
});

test('a history with other steps than the code has does not replay', async () => {
  const history = readHistory('happy');
  const scheduled = history.events?.find(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'snapshot',
  );
  if (
    scheduled?.activityTaskScheduledEventAttributes?.activityType === undefined ||
    scheduled.activityTaskScheduledEventAttributes.activityType === null
  )
    throw new Error('there is no such step');
  scheduled.activityTaskScheduledEventAttributes.activityType.name = 'somethingElse';
  expect(await replay(history)).toBeInstanceOf(Error);
});

describe('the runs of the recorded batch', () => {
  const runs = historyNames()
    .filter((name) => name.startsWith('batch-'))
    .map(readHistory);
  const events = runs.map((run) => run.events ?? []);

  test('follow one another, to an end', () => {
    expect(new Set(runs.map(workflowIdOf)).size).toBe(1);
    const followers = events.map(
      (run) => run.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? 'none',
    );
    const own = events.map(([begun]) => begun?.workflowExecutionStartedEventAttributes?.originalExecutionRunId);
    expect(followers).toEqual([...own.slice(1), 'none']);
    expect(events.at(-1)?.at(-1)?.workflowExecutionCompletedEventAttributes).toBeTruthy();
  });

  test('have a move that fails, one that an earlier run began, and a request', () => {
    const all = events.flat();
    expect(all.some((event) => event.childWorkflowExecutionFailedEventAttributes)).toBe(true);
    expect(all.some((event) => event.workflowExecutionUpdateAcceptedEventAttributes)).toBe(true);
    const begunIn = (run: (typeof events)[number]): number =>
      run.filter((event) => event.childWorkflowExecutionStartedEventAttributes).length;
    const endedIn = (run: (typeof events)[number]): number =>
      run.filter(
        (event) =>
          event.childWorkflowExecutionCompletedEventAttributes ?? event.childWorkflowExecutionFailedEventAttributes,
      ).length;
    expect(events.some((run) => begunIn(run) > endedIn(run))).toBe(true);
  });

  test('replay under no other id, since those of their moves begin with it', async () => {
    for (const run of runs) expect(await replay(run, 'another')).toBeInstanceOf(Error);
  });
});
