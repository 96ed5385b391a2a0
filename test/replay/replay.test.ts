// Every recorded history runs through today's workflow code to the same commands: moves that are under way survive a deployment.
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { describe, expect, inject, test } from 'vitest';
import { type History, historyNames, readHistory } from './histories.js';

Runtime.install({ logger: new DefaultLogger('ERROR') });

async function replay(history: History): Promise<unknown> {
  const results = Worker.runReplayHistories({ workflowBundle: { codePath: inject('workflowBundlePath') } }, [
    { workflowId: 'replayed', history },
  ]);
  for await (const { error } of results) return error;
  throw new Error('nothing was replayed');
}

test('there is a history of each way a move can end', () => {
  expect(historyNames()).toEqual(
    expect.arrayContaining([
      'aborted',
      'cancelled',
      'completed-forward',
      'happy',
      'invalid-input',
      'next-attempt',
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
