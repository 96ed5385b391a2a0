// What a batch answers to each request in each of its states: the exact refusal, or none.
import { describe, expect, test } from 'vitest';
import { BATCH_SKIPS_MAX, type CarriedBatch } from '../../contracts/batch-run.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import {
  movingMessage,
  refusalOf,
  REQUEST_SCHEMAS,
  UPDATE_DESCRIPTIONS,
  type UpdateName,
} from '../../workflows/batch/core/batch-requests.js';
import { batchIn, firstSeqs, flyingOf, itemOf, type OptionsInput, planOf } from '../support/batch-state.js';

const UPDATES: readonly UpdateName[] = ['pause', 'resume', 'abort', 'setConcurrency', 'skip', 'retryFailed', 'approve'];

const NOT_PAUSED = 'The batch is not paused, so it cannot be resumed.';
const NONE_FAILED = 'No move of the batch has failed, so there is nothing to retry.';
const NO_CANARY = 'The batch has no canary, so there is nothing to approve.';
const STOPPING = 'The batch is stopping and takes no further requests: ann aborted the batch.';
const OVER =
  'The batch has ended and cannot be changed. To try its failed moves again: volume-mover batch retry-failed <batch-id> --reason <why>';

/** The refusals of a batch that runs, has no canary, and had no failure. */
const RUNNING = { resume: NOT_PAUSED, retryFailed: NONE_FAILED, approve: NO_CANARY };
const ALL_STOPPING = Object.fromEntries(UPDATES.map((name) => [name, STOPPING]));

interface StateCase {
  readonly what: string;
  readonly state: Partial<CarriedBatch>;
  readonly options?: OptionsInput;
  /** The updates that the batch refuses, and how. It takes the others. */
  readonly refusals: Partial<Record<UpdateName, string | undefined>>;
}

const plan = planOf(5);
const canary = { canary: { count: 2 } };

test.each<StateCase>([
  { what: 'runs', state: { plan }, refusals: RUNNING },
  { what: 'is planned still', state: {}, refusals: RUNNING },
  {
    what: 'is paused',
    state: { plan, pausedBy: 'ann' },
    refusals: { pause: 'The batch is paused already.', retryFailed: NONE_FAILED, approve: NO_CANARY },
  },
  {
    what: 'has a failed move',
    state: { plan, failed: firstSeqs(1) },
    refusals: { resume: NOT_PAUSED, approve: NO_CANARY },
  },
  {
    what: 'runs its canary',
    state: { plan, canary: 'running' },
    options: canary,
    refusals: {
      ...RUNNING,
      approve: 'The canary, the first moves of the batch, still runs. Approve it when all of these moves have ended.',
    },
  },
  {
    what: 'waits for the approval of its canary',
    state: { plan, canary: 'waiting' },
    options: canary,
    refusals: { resume: NOT_PAUSED, retryFailed: NONE_FAILED },
  },
  {
    what: 'has an approved canary',
    state: { plan, canary: 'passed' },
    options: canary,
    refusals: { ...RUNNING, approve: 'The canary was approved already.' },
  },
  {
    what: 'stops and lets moves finish',
    state: {
      plan,
      pausedBy: 'ann',
      failed: firstSeqs(1),
      canary: 'waiting',
      stop: { why: 'aborted', running: 'finish', text: 'ann aborted the batch.' },
    },
    options: canary,
    refusals: { ...ALL_STOPPING, abort: undefined },
  },
  {
    what: 'stops and rolls moves back',
    state: { plan, stop: { why: 'aborted', running: 'roll-back', text: 'ann aborted the batch.' } },
    refusals: {
      ...ALL_STOPPING,
      abort: 'The batch is stopping already, and its running moves roll back.',
    },
  },
])('a batch that $what refuses what it must, in these words, and takes the rest', ({ state, options, refusals }) => {
  const batch = batchIn(state, options);
  for (const name of UPDATES) expect(refusalOf(batch, false, name), name).toBe(refusals[name]);
});

test.each(UPDATES)('a batch that is over refuses %s and says how its failed moves are tried again', (name) => {
  expect(refusalOf(batchIn({ plan, failed: firstSeqs(1) }), true, name)).toBe(OVER);
});

describe('a request to skip', () => {
  const [moving, other] = [volumeIdSchema.parse('v1'), volumeIdSchema.parse('v2')];

  test('is refused for a volume that is being moved, and taken for another', () => {
    const batch = batchIn({ plan, flying: [flyingOf(1)] });
    batch.provide([itemOf(1)]);
    expect(refusalOf(batch, false, 'skip', moving)).toBe(movingMessage(moving));
    expect(movingMessage(moving)).toBe(
      'Volume "v1" is being moved now, so it cannot be skipped. To stop its move: volume-mover cancel <move-id>',
    );
    expect(refusalOf(batch, false, 'skip', other)).toBeUndefined();
  });

  test('is refused while a thousand volumes wait to be skipped, and taken before', () => {
    const skips = Array.from({ length: BATCH_SKIPS_MAX - 1 }, (_, i) => volumeIdSchema.parse(`skipped-${i}`));
    const batch = batchIn({ plan, skips });
    expect(refusalOf(batch, false, 'skip', other)).toBeUndefined();
    batch.skips.add(moving);
    expect(refusalOf(batch, false, 'skip', other)).toBe(
      'At most 1000 volumes of a batch can wait to be skipped, and that many do. Abort the batch, or try again when some have been skipped.',
    );
  });
});

test.each(UPDATES)('the description of %s names every field that a person must give', (name) => {
  for (const field of Object.keys(REQUEST_SCHEMAS[name].shape)) expect(UPDATE_DESCRIPTIONS[name]).toContain(field);
});
