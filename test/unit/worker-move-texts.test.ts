// What people read of a move: summaries, details, and the last word of one that failed.
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { ID_LENGTH_MAX } from '../../contracts/ids.js';
import { MOVE_STEPS, moveProgressSchema, type MoveProgress } from '../../contracts/move.js';
import { VOLUMES_PER_MOVE_MAX } from '../../contracts/attempt.js';
import { detailsOf } from '../../workflows/move/move-details.js';
import { moveFailure } from '../../workflows/move/move-failure.js';
import { codeOf, messageOf } from '../../workflows/shared/step-failure.js';
import { forwardSummary, patientSummary } from '../../workflows/shared/step-summaries.js';

/** What the server takes, in bytes. */
const SUMMARY_BYTES_MAX = 200;
const DETAILS_BYTES_MAX = 20_000;

const progress = (changes: Partial<Record<keyof MoveProgress, unknown>> = {}): MoveProgress =>
  moveProgressSchema.parse({
    move: 'm@r',
    volumes: ['vm-1-disk-0'],
    from: 'cg-gold',
    to: 'cg-silver',
    stage: 'failed',
    attempt: 1,
    verdict: 'ABORTED',
    steps: [],
    ...changes,
  });

const {
  volumes: [longest],
} = progress({ volumes: ['v'.repeat(ID_LENGTH_MAX)] });

test('the longest summaries are within the server’s limit', () => {
  const volumes = Array.from({ length: VOLUMES_PER_MOVE_MAX }, () => longest).flatMap((volume) => volume ?? []);
  const attempt = { move: progress().move, n: 1_000 };
  for (const step of [...MOVE_STEPS, 'resolve', 'learn'] as const) {
    for (const summary of [forwardSummary(step, volumes, attempt), patientSummary(step, volumes, attempt)]) {
      expect(Buffer.byteLength(summary)).toBeLessThanOrEqual(SUMMARY_BYTES_MAX);
    }
  }
});

test('details of a move with very many failed steps are within the server’s limit', () => {
  const steps = Array.from({ length: 140 }, (_, i) => ({
    step: 'flush',
    attempt: i,
    startedAtMs: 0,
    endedAtMs: 5,
    error: { code: 'CUT_VOID', message: 'a | b\n'.repeat(200) },
  }));
  const details = detailsOf(progress({ steps }));
  expect(Buffer.byteLength(details)).toBeLessThan(DETAILS_BYTES_MAX);
  expect(details.split('\n')).toHaveLength(6 + 40);
  expect(details).toContain('| flush | 139 | 5 ms | CUT_VOID: a \\| b');
});

describe('the last word of a failed move', () => {
  const refused = new ActivityFailure(
    'Activity task failed',
    'flush',
    '1',
    'NON_RETRYABLE_FAILURE',
    'w',
    ApplicationFailure.create({ message: 'The lag is large', type: 'LAG_TOO_LARGE', nonRetryable: true }),
  );
  const steps = [{ step: 'flush', attempt: 1, startedAtMs: 0, endedAtMs: 1, error: { message: 'x' } }];

  test('says what happened, that all is as before, and what to do', () => {
    const failure = moveFailure(refused, progress({ steps }));
    expect(failure.type).toBe('LAG_TOO_LARGE');
    expect(failure.message).toBe(
      'The move of vm-1-disk-0 to group "cg-silver" failed at step 2/5 (flush): The lag is large. Everything is as it was before: the volumes stay in group "cg-gold", with all their recovery points. Check the link and the disks of the replica site, then start the move again; options.lagWaitMs of the move allows a longer wait.',
    );
  });

  test.each([
    {
      state: { verdict: 'COMMITTED', stage: 'completing-forward' },
      says: 'The move is committed and group "cg-silver" owns the volumes',
    },
    { state: { verdict: undefined, stage: 'rolling-back' }, says: 'It is not known whether the move was committed' },
    { state: { verdict: 'ABORTED', stage: 'rolling-back' }, says: 'not every splitter has received the verdict' },
  ])('does not claim more than is known: $says', ({ state, says }) => {
    const { message } = moveFailure(refused, progress({ steps, ...state }));
    expect(message).toContain(says);
    expect(message).not.toContain('Everything is as it was');
  });

  test('of two verdicts says whose word counts', () => {
    const mismatch = new ActivityFailure(
      'Activity task failed',
      'learnVerdict',
      '1',
      'NON_RETRYABLE_FAILURE',
      'w',
      ApplicationFailure.create({ message: 'It is COMMITTED', type: 'ATTEMPT_MISMATCH', nonRetryable: true }),
    );
    const { message } = moveFailure(mismatch, progress({ steps, verdict: 'ABORTED', stage: 'rolling-back' }));
    expect(message).toContain('A splitter knows the move as committed');
    expect(message).not.toContain('the volumes stay');
  });

  test('of a worker that died again and again names the step', () => {
    const died = new ActivityFailure(
      'Activity task timed out',
      'flush',
      '1',
      'MAXIMUM_ATTEMPTS_REACHED',
      'w',
      new TimeoutFailure('heartbeat', undefined, 'HEARTBEAT'),
    );
    expect(codeOf(died)).toBe('UNREACHABLE');
    expect(messageOf(died)).toBe('The worker that ran flush stopped answering.');
  });

  test('of something nobody foresaw is INTERNAL', () => {
    expect(moveFailure(new Error('x is not a function'), progress()).type).toBe('INTERNAL');
  });
});
