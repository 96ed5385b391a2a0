// One run of a step inside a Temporal activity: its clock, its sleep, its signs of life.
import { Context } from '@temporalio/activity';
import type { Heartbeat } from '../contracts/move.js';
import type { StepRun } from './ports.js';
import { toFailure } from './failure.js';

/** Signs of life in one heartbeat time-out: several may be late or lost before Temporal takes the worker for dead. */
const HEARTBEATS_PER_TIMEOUT = 4;
/** Between signs of life when the activity was scheduled without a heartbeat time-out, ms. */
const HEARTBEAT_EVERY_MS_DEFAULT = 2_000;

/**
 * Runs a step and keeps saying that it lives, with its newest progress, however long one of its calls takes. A step that is done before
 * the first sign is due needs none: each is a call that the server stores, and five a move are a good part of what a move costs it.
 * @throws ApplicationFailure as `toFailure` makes it; CancelledFailure when the activity was cancelled or the worker shuts down.
 */
export async function runStep<T>(work: (run: StepRun) => Promise<T>): Promise<T> {
  const context = Context.current();
  let newest: Heartbeat | undefined;
  const run: StepRun = {
    nowMs: () => Date.now(),
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
