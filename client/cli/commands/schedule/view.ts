// Shows a schedule to people.
import type { Schedule, ScheduleRun } from '../../../schedules/schedules.js';
import type { ScheduleWarning } from '../../../schedules/schedule-warnings.js';
import { printable } from '../../../text/printable.js';
import { period, time } from '../../../text/format.js';

/** Next runs that are shown. */
const NEXT_SHOWN = 3;

export function scheduleLines(schedule: Schedule): string[] {
  const { name, when, nextRunsMs, lastRuns, overlap, catchUpMs, pauseOnFailure, jitterMs, action, runs, url } =
    schedule;
  return [
    `${name}: ${scheduleStateText(schedule)}`,
    ...(url === undefined ? [] : [`  ${url}`]),
    `  runs ${when}`,
    `  next: ${nextRunsMs.slice(0, NEXT_SHOWN).map(time).join(', ') || 'none'}`,
    `  starts ${printable(action.workflowType)} as ${printable(action.workflowId)}-<time> on task queue ${printable(action.taskQueue)}`,
    `  with ${printable(JSON.stringify(action.input) ?? 'nothing')}`,
    `  overlap ${overlap}, catch-up ${period(catchUpMs)}, jitter ${jitterMs === 0 ? 'none' : period(jitterMs)}, ${pauseOnFailure ? 'pauses on failure' : 'goes on after failures'}`,
    `  ${runs.started} started, ${runs.skippedForOverlap} skipped because the one before still ran, ${runs.missedCatchUp} missed`,
    ...lastRuns.map((run) => `  ${runText(run)}`),
    ...warningLines(schedule),
  ];
}

export function scheduleStateText({ paused, note }: Pick<Schedule, 'paused' | 'note'>): string {
  const state = paused ? 'paused' : 'active';
  return note === undefined ? state : `${state} (${printable(note)})`;
}

export function runText({ batch, workflowId, startedAtMs, outcome }: ScheduleRun): string {
  return `${time(startedAtMs)} ${outcome}: ${printable(batch ?? workflowId)}`;
}

export function warningLines({ name, warnings }: Pick<Schedule, 'name' | 'warnings'>): string[] {
  const mends = warnings.some(({ adoptable }) => adoptable);
  return [
    ...warnings.map((warning) => `  warning: ${warningText(warning)}`),
    ...(mends ? [`  to correct what can be corrected: volume-mover schedule adopt ${name}`] : []),
  ];
}

export function warningText({ about, message }: ScheduleWarning): string {
  return `${about}: ${printable(message)}`;
}
