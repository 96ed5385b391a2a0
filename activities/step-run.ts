// One run of a step inside a Temporal activity: its clock, its sleep, its heartbeats.
import { Context } from '@temporalio/activity';
import type { Heartbeat } from '../contracts/move.js';
import type { ActivityRun, StepRun, VerifyRun } from './run.js';
import type { Ports } from '../control/ports.js';
import { portsUntil } from '../control/ports-until.js';
import { toFailure } from './failure.js';

/**
 * Heartbeats per heartbeat timeout. Several may be late or lost before Temporal declares the worker
 * dead.
 */
const HEARTBEATS_PER_TIMEOUT = 4;
/** Pause between heartbeats of an activity scheduled without a heartbeat timeout, ms. */
const HEARTBEAT_EVERY_MS_DEFAULT = 2_000;

/**
 * The work of one run, over ports whose calls end when the activity is cancelled, by its workflow
 * or by a worker that stops.
 */
type Work<T, Run> = (run: Run, within: Ports) => Promise<T>;

/**
 * Runs a step and sends heartbeats with its newest progress, however long a call takes. A step that
 * ends before the first heartbeat is due sends none: the server stores each one, and five per move
 * would be a good part of a move's cost.
 * @throws ApplicationFailure as `toFailure` makes it; CancelledFailure when the activity was
 * cancelled or the worker shuts down.
 */
export async function runStep<T>(ports: Ports, work: Work<T, StepRun>): Promise<T> {
  return runBeating<T, Heartbeat>(ports, work);
}

/**
 * Like `runStep`, for a verification. When it fails it repeats its last heartbeat, so that the next
 * run resumes there.
 */
export async function runVerify<T>(ports: Ports, work: Work<T, VerifyRun>): Promise<T> {
  const { info } = Context.current();
  const id = `${info.workflowExecution?.runId ?? ''}.${info.activityId}`;
  const earlier: unknown = info.heartbeatDetails;
  return runBeating<T, Parameters<VerifyRun['heartbeat']>[0]>(ports, async (run, within) => {
    let newest = earlier;
    const heartbeat: VerifyRun['heartbeat'] = (details) => {
      newest = details;
      run.heartbeat(details);
    };
    try {
      return await work({ ...run, id, earlier, heartbeat }, within);
    } catch (error) {
      Context.current().heartbeat(newest);
      throw error;
    }
  });
}

/**
 * Like `runStep`, for any activity. Until the run has progress of its own, it repeats the earlier
 * run's: a heartbeat without it would erase what the next run resumes from.
 */
export async function runBeating<T, Details>(ports: Ports, work: Work<T, ActivityRun<Details>>): Promise<T> {
  const context = Context.current();
  let newest: unknown = context.info.heartbeatDetails;
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
    return await work(run, portsUntil(run.signal, ports));
  } catch (error) {
    throw toFailure(error);
  } finally {
    clearInterval(timer);
  }
}

function heartbeatEveryMs(timeoutMs: number | undefined): number {
  return timeoutMs === undefined ? HEARTBEAT_EVERY_MS_DEFAULT : timeoutMs / HEARTBEATS_PER_TIMEOUT;
}
