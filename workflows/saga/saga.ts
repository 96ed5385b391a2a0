// The saga of a move: five steps forward. On any failure the replica site's verdict says whether to
// go back or forward. It is a plain function over steps and a runtime: Temporal runs it in
// production, the simulation thousands of times a minute.
import type { AttemptRef } from '../../contracts/attempt.js';
import { hasRemedy } from '../../contracts/error-registry.js';
import type { MoveId } from '../../contracts/ids.js';
import type { MoveReport, ParsedMoveInput } from '../../contracts/move.js';
import type { MoveRecorder, SagaRuntime } from './recorder.js';
import type { AttemptContext, Flushed, MoveSteps, Reconfigured } from '../../contracts/steps.js';

/**
 * Pause before the second attempt; it doubles for each further one, so that the cause of a void cut
 * can pass.
 */
const RETRY_PAUSE_MS_MIN = 500;
const RETRY_PAUSE_MS_MAX = 30_000;

/** What one attempt has learned so far. Compensation starts from it. */
interface Reached {
  context?: AttemptContext;
  flushed?: Flushed;
}

export interface Saga {
  readonly steps: MoveSteps;
  /**
   * The steps with a retry policy that never gives up, for compensation and for what is left after
   * the commit.
   */
  readonly patientSteps: MoveSteps;
  readonly runtime: SagaRuntime;
  readonly move: MoveId;
  readonly input: ParsedMoveInput;
  readonly recorder: MoveRecorder;
}

/**
 * Moves the volumes of the input, all or none.
 * @returns the report of a move that is done, even if it was completed after a failure or
 * cancellation past the commit.
 * @throws the failure (or cancellation) of the last attempt, once everything is as it was before.
 */
export async function moveSaga(saga: Saga): Promise<MoveReport> {
  const { runtime, recorder, input } = saga;
  const startedAtMs = runtime.nowMs();
  for (let n = 1; ; n += 1) {
    const attempt: AttemptRef = { move: saga.move, n };
    const reached: Reached = {};
    recorder.begin(attempt);
    try {
      const done = await forward(saga, attempt, reached);
      return report(saga, { ...done, completedForward: false, startedAtMs });
    } catch (error) {
      const completed = await runtime.shielded(() => compensate(saga, attempt, reached, error));
      if (completed !== undefined) return report(saga, { ...completed, completedForward: true, startedAtMs });
      const code = runtime.codeOf(error);
      const mayRetry =
        code !== undefined &&
        hasRemedy(code, 'new-attempt') &&
        n < input.options.attemptsMax &&
        !runtime.isCancellation(error);
      if (!mayRetry) {
        recorder.stage('failed');
        throw error;
      }
      recorder.stage('waiting-to-retry');
      await runtime.sleep(Math.min(RETRY_PAUSE_MS_MIN * 2 ** (n - 1), RETRY_PAUSE_MS_MAX));
    }
  }
}

interface Done {
  readonly context: AttemptContext;
  readonly flushed: Flushed;
  readonly reconfigured: Reconfigured;
}

async function forward({ steps, recorder, input }: Saga, attempt: AttemptRef, reached: Reached): Promise<Done> {
  const context = await recorder.step('notify', attempt, () => steps.notify(input, attempt));
  reached.context = context;
  recorder.from(context.from.group);
  const flushed = await recorder.step('flush', attempt, () => steps.flush(context));
  reached.flushed = flushed;
  await recorder.step('snapshot', attempt, () => steps.snapshot(context, flushed));
  await recorder.step('bookmark', attempt, () => steps.bookmark(context));
  const reconfigured = await recorder.step('reconfigure', attempt, () => steps.reconfigure(context, flushed));
  return committed(recorder, { context, flushed, reconfigured });
}

/** Records the commit: there is no way back from here. */
function committed(recorder: MoveRecorder, done: Done): Done {
  recorder.verdict('COMMITTED');
  recorder.stage('done');
  return done;
}

/**
 * Compensates an attempt: asks for the verdict and obeys it. It is the same for every prefix of an
 * attempt, unclear answers included.
 * @returns the result if the attempt turned out to be committed, since there is no way back then.
 */
async function compensate(
  saga: Saga,
  attempt: AttemptRef,
  reached: Reached,
  error: unknown,
): Promise<Done | undefined> {
  const { patientSteps: steps, runtime, recorder, input } = saga;
  recorder.stage('rolling-back');
  const reason = runtime.isCancellation(error) ? 'the move was cancelled' : runtime.messageOf(error);
  const record = await recorder.record('resolve', attempt, () => steps.resolve(attempt, reason));
  if (record.state === 'COMMITTED') {
    recorder.verdict('COMMITTED');
    recorder.stage('completing-forward');
    const context = reached.context ?? (await recorder.record('notify', attempt, () => steps.notify(input, attempt)));
    recorder.from(context.from.group);
    const flushed = reached.flushed ?? (await recorder.record('flush', attempt, () => steps.flush(context)));
    const reconfigured = await recorder.record('reconfigure', attempt, () => steps.reconfigure(context, flushed));
    return committed(recorder, { context, flushed, reconfigured });
  }
  recorder.verdict('ABORTED');
  recorder.abortedAttempts.push({ n: attempt.n, reason });
  if (record.contents !== undefined) await recorder.record('learn', attempt, () => steps.learn(record, 'ABORTED'));
  return undefined;
}

function report(
  { recorder, runtime, input }: Saga,
  done: Done & { readonly completedForward: boolean; readonly startedAtMs: number },
): MoveReport {
  const { context, flushed, reconfigured } = done;
  const { operator, reason } = input;
  const { move, n } = context.attempt;
  return {
    move,
    outcome: 'moved',
    completedForward: done.completedForward,
    attempt: { move, n },
    volumes: [...reconfigured.volumes],
    from: context.from,
    to: context.to,
    ...(operator === undefined ? {} : { operator }),
    ...(reason === undefined ? {} : { reason }),
    startedAtMs: done.startedAtMs,
    endedAtMs: runtime.nowMs(),
    fencedMs: Math.max(0, reconfigured.learnedAtMs - flushed.cutAtMs),
    cutAtMs: flushed.cutAtMs,
    committedAtMs: reconfigured.committedAtMs,
    bookmarks: {
      left: { ...reconfigured.left, group: context.from.group },
      joined: { ...reconfigured.joined, group: context.to.group },
    },
    steps: recorder.steps,
    abortedAttempts: [...recorder.abortedAttempts],
  };
}
