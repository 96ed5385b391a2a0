// The saga of a move: five steps forward. On any failure the replica site's verdict says whether to
// go back or forward. It is a plain function over steps and a runtime: Temporal runs it in
// production, the simulation thousands of times a minute.
import type { AttemptRecord, AttemptRef } from '../../contracts/attempt.js';
import { hasRemedy } from '../../contracts/error-registry.js';
import { MoverError } from '../../contracts/errors.js';
import type { GroupId, MoveId } from '../../contracts/ids.js';
import { isoTime } from '../../contracts/iso-time.js';
import type { MoveReport, ParsedMoveInput } from '../../contracts/move.js';
import type { MoveControls } from './controls.js';
import type { MoveRecorder, SagaRuntime } from './recorder.js';
import type { AttemptContext, Flushed, Held, MoveSteps, Reconfigured } from '../../contracts/steps.js';

/**
 * Pause before the second attempt; it doubles for each further one, so that the cause of a void cut
 * can pass.
 */
const RETRY_PAUSE_MS_MIN = 500;
const RETRY_PAUSE_MS_MAX = 30_000;

/** What one attempt has learned so far. Compensation starts from it. */
interface Reached {
  /** The next ticket when the attempt was planned. */
  floor?: number | undefined;
  context?: AttemptContext;
  /** It stood by, and its fence was not due yet: its end is no failure of the move. */
  isStandingBy?: boolean;
  flushed?: Flushed;
}

/** What all attempts of one move have in common. */
interface Found {
  /** The group of the volumes when the move began. No attempt takes them from another one. */
  from?: GroupId;
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
  readonly controls: MoveControls;
}

/**
 * Moves the volumes of the input, all or none. A pause or an abort before the commit rolls the
 * attempt back, so that no fence stays up.
 * @returns the report of a move that is done, even if it was completed after a failure or
 * cancellation past the commit.
 * @throws the failure (or cancellation) of the last attempt, or MOVE_ABORTED, once everything is as
 * it was before.
 */
export async function moveSaga(saga: Saga): Promise<MoveReport> {
  const { runtime, recorder, controls, input } = saga;
  const startedAtMs = runtime.nowMs();
  let failures = 0;
  const found: Found = {};
  for (let n = 1; ; n += 1) {
    await held(saga);
    const attempt: AttemptRef = { move: saga.move, n };
    const reached: Reached = {};
    recorder.begin(attempt);
    try {
      const done = await controls.interruptible(runtime, () => forward(saga, attempt, reached, found));
      return report(saga, { ...done, completedForward: false, startedAtMs });
    } catch (error) {
      const completed = await runtime.shielded(() => compensate(saga, attempt, reached, error));
      if (completed !== undefined) return report(saga, { ...completed, completedForward: true, startedAtMs });
      if (controls.isHeld && runtime.isCancellation(error)) continue;
      if (reached.isStandingBy !== true) failures += 1;
      const code = runtime.codeOf(error);
      const mayRetry =
        code !== undefined &&
        hasRemedy(code, 'new-attempt') &&
        failures < input.options.attemptsMax &&
        !runtime.isCancellation(error);
      if (!mayRetry) {
        recorder.stage('failed');
        throw error;
      }
      recorder.stage('waiting-to-retry');
      await pauseBeforeRetry(saga, failures);
    }
  }
}

/** Waits while a person holds the move. @throws MOVE_ABORTED; the move's own cancellation */
async function held({ controls, runtime, recorder }: Saga): Promise<void> {
  try {
    await controls.hold(runtime);
  } catch (error) {
    recorder.stage('failed');
    throw error;
  }
}

/** Lets the cause of a failure pass. A pause or an abort cuts it short. */
async function pauseBeforeRetry({ controls, runtime }: Saga, failures: number): Promise<void> {
  if (controls.isHeld) return;
  const pauseMs = Math.min(RETRY_PAUSE_MS_MIN * 2 ** Math.max(0, failures - 1), RETRY_PAUSE_MS_MAX);
  try {
    await controls.interruptible(runtime, () => runtime.sleep(pauseMs));
  } catch (error) {
    if (!controls.isHeld) throw error;
  }
}

interface Done {
  readonly context: AttemptContext;
  readonly flushed: Flushed;
  readonly reconfigured: Reconfigured;
}

async function forward(saga: Saga, attempt: AttemptRef, reached: Reached, found: Found): Promise<Done> {
  const { steps, recorder } = saga;
  const context = await notify(saga, attempt, reached, found);
  reached.context = context;
  found.from = context.from.group;
  recorder.from(context.from.group);
  reached.isStandingBy = true;
  await standBy(saga, context);
  reached.isStandingBy = false;
  const flushed = await recorder.step('flush', attempt, () => steps.flush(context));
  reached.flushed = flushed;
  await recorder.step('snapshot', attempt, () => steps.snapshot(context, flushed));
  await recorder.step('bookmark', attempt, () => steps.bookmark(context));
  const reconfigured = await recorder.step('reconfigure', attempt, () => steps.reconfigure(context, flushed));
  return committed(recorder, { context, flushed, reconfigured });
}

/** Notifies. While other moves hold the volumes, a move that queues waits and tries again. */
async function notify(saga: Saga, attempt: AttemptRef, reached: Reached, found: Found): Promise<AttemptContext> {
  const { steps, recorder, runtime } = saga;
  let sinceMs: number | undefined;
  for (;;) {
    const { from = saga.input.from } = found;
    const input = from === undefined ? saga.input : { ...saga.input, from };
    // After days in a queue an earlier floor would be that of forgotten attempts.
    reached.floor = await steps.ticketFloor();
    try {
      return await recorder.step('notify', attempt, async () =>
        opened(await steps.notify(input, attempt, reached.floor)),
      );
    } catch (error) {
      if (!(error instanceof VolumesHeld)) throw error;
      const { held } = error;
      found.from = held.from;
      const waitsSinceMs = (sinceMs ??= runtime.nowMs());
      recorder.stage('queued', queuedText(held, waitsSinceMs, runtime.nowMs()));
      await recorder.record('queued', attempt, () => steps.awaitTurn(input, attempt, held, waitsSinceMs));
    }
  }
}

/** The step found that other moves hold the volumes. */
class VolumesHeld extends MoverError {
  readonly held: Held;

  constructor(held: Held) {
    super('VOLUME_BUSY', `${holdersText(held)} first`);
    this.held = held;
  }
}

/** @throws VolumesHeld */
function opened(answer: AttemptContext | Held): AttemptContext {
  if ('holders' in answer) throw new VolumesHeld(answer);
  return answer;
}

/** @example "move m-7 has volume v1 first" */
function holdersText({ holders }: Held): string {
  const [first] = holders;
  if (first === undefined) return 'another move has the volumes';
  const more = holders.length === 1 ? '' : ` (and ${holders.length - 1} more are held)`;
  return `move ${first.move} has volume "${first.volume}"${more}`;
}

function queuedText(held: Held, sinceMs: number, nowMs: number): string {
  const [first] = held.holders;
  const { leaseMs } = first ?? {};
  // A move that runs renews its lease; one that was terminated does not.
  const until = leaseMs === undefined ? '' : ` If that move no longer runs, it lets go at ${isoTime(nowMs + leaseMs)}.`;
  const follow = first === undefined ? '' : ` To follow that move: volume-mover watch ${first.move}`;
  return `Waits since ${isoTime(sinceMs)}: ${holdersText(held)}. It then moves the volumes only if they are still in group "${held.from}".${until}${follow}`;
}

/** Keeps the attempt ready until the fence is approved and its time has come. */
async function standBy({ steps, recorder, controls, runtime, input }: Saga, context: AttemptContext): Promise<void> {
  const { attempt } = context;
  if (controls.awaitsApproval) {
    recorder.stage(
      'ready',
      `Waits for an approval. To raise the fence: volume-mover approve ${attempt.move} --reason <why>`,
    );
    await recorder.record('ready', attempt, () =>
      controls.untilApproved(runtime, () => steps.standBy(context, 'approved')),
    );
  }
  const { fenceFromMs = 0 } = input.options;
  if (runtime.nowMs() >= fenceFromMs) return;
  recorder.stage('ready', `Waits until ${isoTime(fenceFromMs)}, the earliest time for its fence.`);
  await recorder.record('ready', attempt, () => steps.standBy(context, 'window'));
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
  const { patientSteps: steps, runtime, recorder, input, controls } = saga;
  recorder.stage('rolling-back');
  const cancelled = runtime.isCancellation(error);
  const reason = cancelled ? (controls.reason ?? 'the move was cancelled') : runtime.messageOf(error);
  const record = await verdictOn(saga, attempt, reason, reached.floor);
  if (record.state === 'COMMITTED') {
    recorder.verdict('COMMITTED');
    recorder.stage('completing-forward');
    const context =
      reached.context ??
      (await recorder.record('notify', attempt, async () => opened(await steps.notify(input, attempt, reached.floor))));
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

/**
 * The verdict, which an open attempt gets now.
 * @throws STALE_ATTEMPT once the replica site has forgotten it: the attempt is over, nothing of it
 * is left to undo, and nobody knows how it ended. So the move ends, too.
 */
async function verdictOn(
  { patientSteps: steps, runtime, recorder }: Saga,
  attempt: AttemptRef,
  reason: string,
  floor: number | undefined,
): Promise<AttemptRecord> {
  try {
    return await recorder.record('resolve', attempt, () => steps.resolve(attempt, reason, floor));
  } catch (error) {
    if (runtime.codeOf(error) === 'STALE_ATTEMPT') recorder.stage('failed');
    throw error;
  }
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
    ...(reconfigured.reversibleUntilMs === undefined ? {} : { reversibleUntilMs: reconfigured.reversibleUntilMs }),
    bookmarks: {
      left: { ...reconfigured.left, group: context.from.group },
      joined: { ...reconfigured.joined, group: context.to.group },
    },
    steps: recorder.steps,
    abortedAttempts: [...recorder.abortedAttempts],
  };
}
