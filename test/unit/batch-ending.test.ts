// What a batch says at its end: the outcome, the sentence, and the whole report.
import { describe, expect, test } from 'vitest';
import { batchFailureSchema, batchLeftOutSchema } from '../../contracts/batch.js';
import { batchSettingsSchema, type CarriedBatch, type Stop } from '../../contracts/batch-run.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import { batchReportOf, endingOf } from '../../workflows/batch/core/batch-report.js';
import { BATCH_ID } from '../support/batch-model.js';
import { batchIn, BEGAN_MS, firstSeqs, flyingOf, planOf } from '../support/batch-state.js';

interface Ended {
  readonly what: string;
  readonly state: Partial<CarriedBatch>;
  readonly outcome: string;
  readonly summary: string;
}

describe('a batch with nothing left to do', () => {
  test.each<Ended>([
    {
      what: 'every move moved',
      state: { plan: planOf(3), moved: 3 },
      outcome: 'complete',
      summary: 'Every move of the batch has ended: 3 of 3 moved.',
    },
    {
      what: 'one of each end',
      state: {
        plan: planOf(5, { alreadyThere: 2, refused: 1 }),
        moved: 1,
        failed: firstSeqs(1),
        cancelled: 1,
        skipped: 1,
        there: 1,
      },
      outcome: 'complete',
      summary:
        'Every move of the batch has ended: 1 of 5 moved, 1 failed, 1 cancelled, 1 skipped, 3 already there, 1 refused.',
    },
    {
      what: 'no move made, since all were refused',
      state: { plan: planOf(0, { refused: 2 }) },
      outcome: 'complete',
      summary: 'Every move of the batch has ended: 0 of 0 moved, 2 refused.',
    },
    {
      what: 'some there and one refused',
      state: { plan: planOf(0, { alreadyThere: 4, refused: 1 }) },
      outcome: 'complete',
      summary: 'Every move of the batch has ended: 0 of 0 moved, 4 already there, 1 refused.',
    },
    {
      what: 'its only planned move found in its target',
      state: { plan: planOf(1), there: 1 },
      outcome: 'complete',
      summary: 'Every move of the batch has ended: 0 of 1 moved, 1 already there.',
    },
    {
      what: 'one volume, which is there',
      state: { plan: planOf(0, { alreadyThere: 1 }) },
      outcome: 'all-there',
      summary: 'Nothing to do: every volume of the batch is in its target group already.',
    },
    {
      what: 'no volume',
      state: { plan: planOf(0) },
      outcome: 'nothing-selected',
      summary: 'Nothing was moved: no volume matches what the batch selects.',
    },
  ])('with $what is $outcome', ({ state, outcome, summary }) => {
    expect(endingOf(batchIn(state))).toEqual({ outcome, summary });
  });
});

describe('a batch that was stopped', () => {
  const stopped = (why: Stop['why'], running: Stop['running'] = 'finish'): Stop => ({
    why,
    running,
    text: 'So it is.',
  });
  const tried = { plan: planOf(2), moved: 1, failed: firstSeqs(1) };
  const begun = { plan: planOf(4), moved: 1, failed: firstSeqs(1) };

  test.each([
    { stop: stopped('failures'), state: begun, outcome: 'stopped' },
    { stop: stopped('failures', 'roll-back'), state: begun, outcome: 'stopped' },
    { stop: stopped('canary'), state: begun, outcome: 'stopped' },
    { stop: stopped('aborted'), state: begun, outcome: 'incomplete' },
    { stop: stopped('cancelled'), state: begun, outcome: 'incomplete' },
    { stop: stopped('window'), state: begun, outcome: 'incomplete' },
  ])('for $stop.why with moves not started is $outcome', ({ stop, state, outcome }) => {
    const summary = 'So it is. 1 of 4 moved, 1 failed, 2 not started.';
    expect(endingOf(batchIn({ ...state, stop }))).toEqual({ outcome, summary });
  });

  test.each([
    { stop: stopped('failures'), outcome: 'stopped' },
    { stop: stopped('canary'), outcome: 'stopped' },
    { stop: stopped('aborted'), outcome: 'complete' },
    { stop: stopped('aborted', 'roll-back'), outcome: 'incomplete' },
    { stop: stopped('cancelled'), outcome: 'incomplete' },
    { stop: stopped('cancelled', 'roll-back'), outcome: 'incomplete' },
    { stop: stopped('window'), outcome: 'complete' },
  ])('for $stop.why ($stop.running) after its last move began is $outcome', ({ stop, outcome }) => {
    const summary = 'So it is. 1 of 2 moved, 1 failed.';
    expect(endingOf(batchIn({ ...tried, stop }))).toEqual({ outcome, summary });
  });

  test.each(['aborted', 'window'] as const)('for %s before it had a plan is incomplete', (why) => {
    expect(endingOf(batchIn({ stop: stopped(why) }))).toEqual({
      outcome: 'incomplete',
      summary: 'So it is. 0 of 0 moved.',
    });
  });

  test('says how many were cancelled, skipped, already there and refused', () => {
    const state = { plan: planOf(9, { alreadyThere: 1, refused: 6 }), cancelled: 2, skipped: 3, there: 4 };
    expect(endingOf(batchIn({ ...state, stop: stopped('aborted') })).summary).toBe(
      'So it is. 0 of 9 moved, 2 cancelled, 3 skipped, 5 already there, 6 refused.',
    );
  });
});

describe('the report of a batch', () => {
  const failure = batchFailureSchema.parse({ seq: 0, volumes: ['v0'], to: 'silver', tries: 1, message: 'no' });
  const leftOut = batchLeftOutSchema.parse({ volumes: ['x'], code: 'VOLUME_NOT_FOUND', message: 'there is none' });
  const batch = batchIn({
    plan: planOf(4, { alreadyThere: 1, refused: 1, leftOut: [leftOut] }),
    runs: 3,
    moved: 1,
    failed: firstSeqs(1),
    failures: [failure],
    flying: [flyingOf(2)],
  });
  const ending = { outcome: 'stopped', summary: 'So it is.' } as const;
  const counts = {
    planned: 4,
    waiting: 1,
    running: 1,
    moved: 1,
    failed: 1,
    cancelled: 0,
    alreadyThere: 1,
    skipped: 0,
    refused: 1,
  };
  const unsigned = batchSettingsSchema.parse({ select: { from: 'gold' }, to: 'silver' });

  test('has its counts, its failures, what the plan left out, and when it ran', () => {
    expect(batchReportOf(batch, unsigned, ending, 9_000)).toEqual({
      batch: BATCH_ID,
      outcome: 'stopped',
      summary: 'So it is.',
      counts,
      failures: [failure],
      leftOut: [leftOut],
      addedMeanwhile: [],
      removedMeanwhile: [],
      startedAtMs: BEGAN_MS,
      endedAtMs: 9_000,
      runs: 3,
    });
  });

  test('names who asked for it and why, and what came and went meanwhile', () => {
    const [added, removed] = [volumeIdSchema.parse('new'), volumeIdSchema.parse('gone')];
    const signed = { ...unsigned, operator: 'ann', reason: 'array is full' };
    const meanwhile = { addedMeanwhile: [added], removedMeanwhile: [removed] };
    expect(batchReportOf(batch, signed, ending, 9_000, meanwhile)).toMatchObject({
      operator: 'ann',
      reason: 'array is full',
      counts,
      failures: [failure],
      ...meanwhile,
    });
  });

  test('of a dry run has what the dry run found instead', () => {
    const found = { ...failure, tries: 0, message: 'the splitter is down' };
    const instead = { counts: { ...counts, failed: 2 }, failures: [found], addedMeanwhile: [], removedMeanwhile: [] };
    expect(batchReportOf(batch, unsigned, ending, 9_000, instead)).toMatchObject({
      counts: { failed: 2 },
      failures: [found],
    });
  });

  test('of a batch that ended before its plan leaves out nothing', () => {
    expect(batchReportOf(batchIn({}), unsigned, ending, 9_000)).toMatchObject({
      leftOut: [],
      failures: [],
      counts: { planned: 0, waiting: 0, refused: 0, alreadyThere: 0 },
    });
  });
});
