// One run of a step inside a Temporal activity: its clock, its sleep, its signs of life.
import { Context } from '@temporalio/activity';
import type { Heartbeat } from '../contracts/move.js';
import type { ActivityRun, StepRun, VerifyRun } from './run.js';
import { toFailure } from './failure.js';

/**
 * Signs of life in one heartbeat time-out: several may be late or lost before Temporal takes the
 * worker for dead.
 */
const HEARTBEATS_PER_TIMEOUT = 4;
/** Between signs of life when the activity was scheduled without a heartbeat time-out, ms. */
const HEARTBEAT_EVERY_MS_DEFAULT = 2_000;

/**
 * Runs a step and keeps saying that it lives, with its newest progress, however long one of its
 * calls takes. A step that is done before the first sign is due needs none: each is a call that the
 * server stores, and five a move are a good part of what a move costs it.
 * @throws ApplicationFailure as `toFailure` makes it; CancelledFailure when the activity was
 * cancelled or the worker shuts down.
 */
export async function runStep<T>(work: (run: StepRun) => Promise<T>): Promise<T> {
  return runBeating<T, Heartbeat>(work);
}

/**
 * As `runStep`, for a verification: what it told last is told again when it fails, so that the next
 * run goes on from there.
 */
export async function runVerify<T>(work: (run: VerifyRun) => Promise<T>): Promise<T> {
  const { info } = Context.current();
  const id = `${info.workflowExecution?.runId ?? ''}.${info.activityId}`;
  const earlier: unknown = info.heartbeatDetails;
  return runBeating<T, Parameters<VerifyRun['heartbeat']>[0]>(async (run) => {
    let newest: typeof earlier;
    try {
      return await work({
        ...run,
        id,
        earlier,
        heartbeat: (details) => {
          newest = details;
          run.heartbeat(details);
        },
      });
    } catch (error) {
      Context.current().heartbeat(newest);
      throw error;
    }
  });
}

/** As `runStep`, for any activity: its newest progress is told again and again. */
export async function runBeating<T, Details>(work: (run: ActivityRun<Details>) => Promise<T>): Promise<T> {
  const context = Context.current();
  let newest: Details | undefined;
  const run: ActivityRun<Details> = {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep: async (ms) => context.sleep(ms),
    heartbeat: (details) => {
      newest = details;
    },
    signal: context.cancellationSignal,
  };
  const timer = setInterval(() => context.heartbeat(newest), heartbeatEveryMs(context.info.heartbeatTimeoutMs));
  try {
    return await work(run);
  } catch (error) {
    throw toFailure(error);
  } finally {
    clearInterval(timer);
  }
}

function heartbeatEveryMs(timeoutMs: number | undefined): number {
  return timeoutMs === undefined ? HEARTBEAT_EVERY_MS_DEFAULT : timeoutMs / HEARTBEATS_PER_TIMEOUT;
}
