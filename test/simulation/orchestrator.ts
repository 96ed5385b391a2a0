// Temporal's part for the saga, in virtual time: retries, workers that die and leave a zombie,
// cancellation, termination.
import { bookmark } from '../../activities/bookmark.js';
import { learn, resolve } from '../../activities/compensation.js';
import { flush } from '../../activities/flush.js';
import { notify } from '../../activities/notify.js';
import type { StepRun } from '../../activities/run.js';
import { reconfigure } from '../../activities/reconfigure.js';
import { snapshot } from '../../activities/snapshot.js';
import { MoverError, type ErrorCode } from '../../contracts/errors.js';
import type { GroupId, MoveId, VolumeId } from '../../contracts/ids.js';
import { moveInputSchema, type MoveReport } from '../../contracts/move.js';
import { MoveRecorder, type SagaRuntime } from '../../workflows/saga/recorder.js';
import { moveSaga } from '../../workflows/saga/saga.js';
import type { MoveSteps } from '../../contracts/steps.js';
import type { World } from './world.js';

class Cancelled extends Error {}

const RETRY_MS = 60;
/** Time until a step that keeps failing gives up, in ms; notify waits out another move's lease. */
const STEP_LIMIT_MS = { patient: Number.POSITIVE_INFINITY, notify: 20_000, other: 6_000 };

export interface Trouble {
  /**
   * Chance that the worker dies during a step: the step goes on as a zombie, and another worker
   * starts it again.
   */
  readonly workerDies: number;
  readonly cancelAfterMs?: number;
  readonly terminateAfterMs?: number;
}

export type MoveEnd =
  | { readonly kind: 'moved'; readonly report: MoveReport }
  | { readonly kind: 'failed'; readonly code: ErrorCode | undefined; readonly message: string }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'terminated' };

export const LEASE_MS = 1_500;

export async function runMove(
  world: World,
  move: string,
  volumes: readonly VolumeId[],
  to: GroupId,
  trouble: Trouble,
): Promise<MoveEnd> {
  const { time, chance } = world;
  const ports = world.ports();
  const input = moveInputSchema.parse({
    volumes,
    to,
    options: { leaseMs: LEASE_MS, lagWaitMs: 4_000, attemptsMax: 4, attemptDeadlineMs: 30_000 },
  });
  let ended = false;
  let terminated = false;
  let cancelled = false;
  let shields = 0;
  let cancelNow = (): void => undefined;
  const cancellation = new Promise<never>((_resolve, reject) => {
    cancelNow = () => reject(new Cancelled('cancelled'));
  });
  cancellation.catch(() => undefined);
  if (trouble.cancelAfterMs !== undefined) {
    time.after(trouble.cancelAfterMs, () => {
      cancelled = true;
      if (!ended) world.befalls('cancel', move);
      cancelNow();
    });
  }
  const never = new Promise<never>(() => undefined);
  /**
   * Runs a step's call: a terminated workflow never goes on, and cancellation interrupts at once
   * unless shielded.
   */
  const alive = async <T>(work: Promise<T>): Promise<T> => {
    work.catch(() => undefined);
    const shielded = shields > 0;
    if (!shielded && cancelled) throw new Cancelled('cancelled');
    try {
      return await (shielded ? work : Promise.race([work, cancellation]));
    } finally {
      if (terminated) await never;
    }
  };

  const activity = async <T>(limitMs: number, work: (run: StepRun) => Promise<T>): Promise<T> => {
    const startedAtMs = time.nowMs;
    for (;;) {
      const nowMs = (): number => time.nowMs;
      const run: StepRun = {
        nowMs,
        monotonicMs: nowMs,
        sleep: (ms) => time.sleep(ms),
        heartbeat: () => undefined,
      };
      const dies = chance.hit(trouble.workerDies)
        ? time.sleep(chance.between(0, 150)).then(() => 'died' as const)
        : never;
      try {
        const outcome = await Promise.race([work(run).then((value) => ({ value })), dies]);
        if (outcome !== 'died') return outcome.value;
        world.befalls('dead worker', move);
      } catch (error) {
        if (!(error instanceof MoverError)) throw error;
        if (!error.retryable || time.nowMs - startedAtMs > limitMs) throw error;
      }
      await time.sleep(RETRY_MS);
    }
  };

  const stepsWith = (limit: { readonly notify: number; readonly other: number }): MoveSteps => ({
    notify: (parsed, attempt) => alive(activity(limit.notify, (run) => notify(ports, parsed, attempt, run))),
    flush: (context) => alive(activity(limit.other, (run) => flush(ports, context, run))),
    snapshot: (context, flushed) => alive(activity(limit.other, () => snapshot(ports, context, flushed))),
    bookmark: (context) => alive(activity(limit.other, () => bookmark(ports, context))),
    reconfigure: (context, flushed) => alive(activity(limit.other, (run) => reconfigure(ports, context, flushed, run))),
    resolve: (attempt, reason) => alive(activity(limit.other, () => resolve(ports, attempt, reason))),
    learn: (record, verdict) => alive(activity(limit.other, () => learn(ports, record, verdict))),
  });

  const runtime: SagaRuntime = {
    nowMs: () => time.nowMs,
    sleep: (ms) => alive(time.sleep(ms)),
    shielded: async (work) => {
      shields += 1;
      try {
        return await work();
      } finally {
        shields -= 1;
      }
    },
    isCancellation: (error) => error instanceof Cancelled,
    codeOf: (error) => (error instanceof MoverError ? error.code : undefined),
    messageOf: (error) => (error instanceof Error ? error.message : String(error)),
  };

  const moveId = move as MoveId;
  const saga = moveSaga({
    steps: stepsWith(STEP_LIMIT_MS),
    patientSteps: stepsWith({ notify: STEP_LIMIT_MS.patient, other: STEP_LIMIT_MS.patient }),
    runtime,
    move: moveId,
    input,
    recorder: new MoveRecorder(runtime, moveId, input),
  }).then(
    (report): MoveEnd => ({ kind: 'moved', report }),
    (error: unknown): MoveEnd =>
      error instanceof Cancelled
        ? { kind: 'cancelled' }
        : { kind: 'failed', code: runtime.codeOf(error), message: runtime.messageOf(error) },
  );
  void saga.finally(() => {
    ended = true;
  });
  if (trouble.terminateAfterMs === undefined) return await saga;
  const termination = time.sleep(trouble.terminateAfterMs).then((): MoveEnd => {
    terminated = true;
    if (!ended) world.befalls('terminate', move);
    return { kind: 'terminated' };
  });
  return await Promise.race([saga, termination]);
}
