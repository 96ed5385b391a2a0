// What people ask of a running move, on the real Temporal server: approve, pause, resume, abort.
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { afterEach, describe, expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { MOVE_STEPS, type MoveProgress, type MoveRequestName } from '../../contracts/move.js';
import { findApplicationFailure } from '../../client/temporal/failure.js';
import { COSTLY_POLL_INTERVAL_MS, PATIENCE_MS, until } from '../support/until.js';
import { activitiesOf, failedTasksOf, failureOf, Moves, type MoveHandle } from './support/moves.js';

let moves: Moves;
afterEach(async () => moves.stop());

const MOVE = { volume: 's0v0', to: 'g2' };
const REQUEST = { operator: 'sam', reason: 'the ticket says so' };

async function ask(handle: MoveHandle, name: MoveRequestName, request: object = REQUEST): Promise<string> {
  const { message } = await handle.executeUpdate<{ message: string }, [object]>(name, { args: [request] });
  return message;
}

/** The sentence and code of a refusal, and the stack that people would see beside them. */
async function refusalOf(asked: Promise<string>): Promise<{ code: unknown; text: string; stack: string | undefined }> {
  const error: unknown = await asked.then(
    (answer) => new Error(`it was granted: ${answer}`),
    (failure: unknown) => failure,
  );
  const failure = error instanceof WorkflowUpdateFailedError ? findApplicationFailure(error.cause) : undefined;
  if (failure === undefined) throw error;
  return { code: failure.type, text: failure.message, stack: failure.stack };
}

async function untilStage(handle: MoveHandle, stage: MoveProgress['stage']): Promise<MoveProgress> {
  const look = async (): Promise<MoveProgress | undefined> => {
    const progress = await handle.query<MoveProgress>('progress');
    return progress.stage === stage ? progress : undefined;
  };
  return until(`the stage ${stage}`, PATIENCE_MS, look, COSTLY_POLL_INTERVAL_MS);
}

async function expectOwner(group: string, epoch: number): Promise<void> {
  await moves.live.checkPromises();
  expect(moves.live.groupOf('s0v0')).toBe(group);
  expect(moves.live.epochOf('s0v0')).toBe(epoch);
}

describe('a manual cut-over', () => {
  test('stands by, says what it waits for, and raises its fence when somebody approves', async () => {
    moves = await Moves.start();
    const handle = await moves.move({ ...MOVE, cutover: 'manual' });
    const progress = await untilStage(handle, 'ready');
    expect(progress.waitsFor).toBe(
      `Waits for an approval. To raise the fence: volume-mover approve ${progress.move} --reason <why>`,
    );
    expect(moves.live.faults.called).not.toContain('fence');
    expect(await ask(handle, 'approve')).toBe(
      'Approved: the move raises its fence now, or at the earliest time that was given.',
    );
    expect(await handle.result()).toMatchObject({ outcome: 'moved', completedForward: false, attempt: { n: 1 } });
    expect(await activitiesOf(handle)).toEqual(['notify', 'standBy', ...MOVE_STEPS.slice(1)]);
    expect(await failedTasksOf(handle)).toBe(0);
    await expectOwner('g2', 2);
  });

  test('approved before it is ready does not wait', async () => {
    moves = await Moves.start();
    const hold = moves.live.faults.hold('open', 'before');
    const handle = await moves.move({ ...MOVE, cutover: 'manual' });
    await hold.reached;
    expect(await ask(handle, 'approve')).toBe('Approved: the move raises its fence as soon as it is ready.');
    expect(await refusalOf(ask(handle, 'approve'))).toMatchObject({ text: 'The move is approved already.' });
    hold.release();
    expect(await handle.result()).toMatchObject({ outcome: 'moved' });
    expect(await activitiesOf(handle)).not.toContain('standBy');
  });

  test('that nobody approves in time ends without a change', async () => {
    moves = await Moves.start();
    const handle = await moves.move({ ...MOVE, cutover: 'manual', options: { fenceByMs: Date.now() + 2_000 } });
    expect((await failureOf(handle)).type).toBe('WINDOW_CLOSED');
    await expectOwner('g1', 1);
  });

  test('stands by beyond the deadline of an attempt, with a new one', async () => {
    moves = await Moves.start();
    const options = { leaseMs: 1_000, attemptDeadlineMs: 2_000, attemptsMax: 1 };
    const handle = await moves.move({ ...MOVE, cutover: 'manual', options });
    const look = async (): Promise<true | undefined> => {
      const { stage, attempt } = await handle.query<MoveProgress>('progress');
      return stage === 'ready' && attempt > 2 ? true : undefined;
    };
    await until('a third attempt', PATIENCE_MS, look, COSTLY_POLL_INTERVAL_MS);
    await ask(handle, 'abort');
    expect((await failureOf(handle)).type).toBe('MOVE_ABORTED');
    await expectOwner('g1', 1);
  });
});

test('a move with an earliest time for its fence stands by until then', async () => {
  moves = await Moves.start();
  const fenceFromMs = Date.now() + 3_000;
  const handle = await moves.move({ ...MOVE, options: { fenceFromMs } });
  const { steps } = await handle.result();
  expect(steps.map(({ step }) => step).slice(0, 3)).toEqual(['notify', 'ready', 'flush']);
  expect(steps[1]?.endedAtMs).toBeGreaterThanOrEqual(fenceFromMs);
});

describe('before the commit', () => {
  test.each([
    { operation: 'open', place: 'after' },
    { operation: 'fence', place: 'after' },
    { operation: 'bookmark', place: 'after' },
    { operation: 'adopt', place: 'before' },
  ] as const)('a pause $place $operation leaves no fence up, and the move goes on when it is resumed', async (at) => {
    moves = await Moves.start();
    const hold = moves.live.faults.hold(at.operation, at.place);
    const handle = await moves.move(MOVE);
    await hold.reached;
    expect(await ask(handle, 'pause')).toBe('Paused: no fence is up and no attempt is open. To go on: resume.');
    hold.release();
    const progress = await handle.query<MoveProgress>('progress');
    expect(progress).toMatchObject({ stage: 'paused', verdict: 'ABORTED' });
    expect(progress.waitsFor).toBe(
      `sam paused the move: the ticket says so. To go on: volume-mover resume ${progress.move} --reason <why>`,
    );
    expect(await refusalOf(ask(handle, 'pause'))).toMatchObject({ text: 'The move is paused already.' });
    await moves.live.checkPromises();
    moves.live.world.guestRuns = true;
    expect(await ask(handle, 'resume')).toBe('Resumed: the move goes on with a new attempt.');
    expect(await handle.result()).toMatchObject({
      attempt: { n: 2 },
      abortedAttempts: [{ n: 1, reason: 'sam paused the move: the ticket says so' }],
    });
    await expectOwner('g2', 2);
  });

  test.each([
    { operation: 'open', place: 'before' },
    { operation: 'fence', place: 'after' },
    { operation: 'adopt', place: 'before' },
  ] as const)('an abort $place $operation puts everything back', async (at) => {
    moves = await Moves.start();
    const hold = moves.live.faults.hold(at.operation, at.place);
    const handle = await moves.move(MOVE);
    await hold.reached;
    expect(await ask(handle, 'abort')).toMatch(/^Aborted: s0v0 stays.*, and everything is as it was before\.$/);
    hold.release();
    const failure = await failureOf(handle);
    expect(failure.type).toBe('MOVE_ABORTED');
    expect(failure.message).toContain(
      'ended: sam aborted the move: the ticket says so. Everything is as it was before',
    );
    await expectOwner('g1', 1);
  });

  test('a move paused between two attempts can be aborted', async () => {
    moves = await Moves.start();
    moves.live.faults.fail('seal', new MoverError('CUT_VOID', 'The cut is void for this test.'), 20);
    const handle = await moves.move({ ...MOVE, options: { attemptsMax: 20 } });
    await untilStage(handle, 'waiting-to-retry');
    await ask(handle, 'pause');
    await ask(handle, 'abort');
    expect((await failureOf(handle)).type).toBe('MOVE_ABORTED');
    await expectOwner('g1', 1);
  });

  test('a pause that still waits when the move is aborted is refused: nothing is held that could be resumed', async () => {
    moves = await Moves.start();
    const hold = moves.live.faults.hold('fence', 'before');
    const handle = await moves.move(MOVE);
    await hold.reached;
    const update = await handle.startUpdate<{ message: string }, [object]>('pause', {
      args: [REQUEST],
      waitForStage: 'ACCEPTED',
    });
    const aborted = ask(handle, 'abort');
    const paused = refusalOf(update.result().then(({ message }) => message));
    hold.release();
    expect((await paused).text).toMatch(/^The move (ends|has ended)/);
    await aborted;
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'MOVE_ABORTED' } });
    await expectOwner('g1', 1);
  });

  test('a paused move can be cancelled', async () => {
    moves = await Moves.start();
    const hold = moves.live.faults.hold('fence', 'before');
    const handle = await moves.move(MOVE);
    await hold.reached;
    await ask(handle, 'pause');
    hold.release();
    await handle.cancel();
    await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
    await expectOwner('g1', 1);
  });
});

describe('after the commit', () => {
  test.each(['pause', 'abort'] as const)('%s is refused with the way back, and the move is completed', async (name) => {
    moves = await Moves.start();
    const hold = moves.live.faults.hold('adopt', 'after');
    const handle = await moves.move(MOVE);
    await hold.reached;
    const { code, text } = await refusalOf(ask(handle, name));
    hold.release();
    expect(code).toBe('MOVE_REQUEST_REFUSED');
    expect(text).toBe(
      `The move is committed: group "g2" owns the volumes, so it is too late to ${name} it. To move them back: volume-mover reverse ${handle.workflowId}@${handle.firstExecutionRunId}`,
    );
    expect(await handle.result()).toMatchObject({ completedForward: true });
    await expectOwner('g2', 2);
  });
});

test('what a move can not do now, and a request without a name, are refused in a sentence without a stack', async () => {
  moves = await Moves.start();
  const hold = moves.live.faults.hold('open', 'before');
  const handle = await moves.move(MOVE);
  await hold.reached;
  expect(await refusalOf(ask(handle, 'resume'))).toEqual({
    code: 'MOVE_REQUEST_REFUSED',
    text: 'The move is not paused, so it cannot be resumed.',
    stack: '',
  });
  expect(await refusalOf(ask(handle, 'approve'))).toMatchObject({
    text: 'The move needs no approval: it was started without "cutover": "manual".',
  });
  expect(await refusalOf(ask(handle, 'pause', { reason: 'x' }))).toMatchObject({ code: 'INVALID_REQUEST', stack: '' });
  hold.release();
  await handle.result();
});
