// Shows a batch to people: its progress while it runs, and its report at the end.
import type { BatchCounts, BatchFailure, BatchProgress, BatchReport, Concurrency } from '../../contracts/batch.js';
import { ERRORS } from '../../contracts/errors.js';
import { countsText, failureLine, namesOf, NOT_LISTED } from '../batches/batch-lines.js';
import { nextCommands } from '../batches/next-command.js';
import type { Batch } from '../batches/batch-client.js';
import { printable } from '../text/printable.js';
import { counted, duration, time } from '../text/format.js';

const BAR_WIDTH = 32;
/** Failures shown of a progress. */
const FAILURES_SHOWN = 5;

/** Moves that have ended. */
function endedOf({ moved, failed, cancelled, skipped, planned, waiting, running }: BatchCounts): number {
  // A progress counts moves already in their target together with those that the plan left out.
  return Math.max(moved + failed + cancelled + skipped, planned - waiting - running);
}

/** The live picture. @param nowMs the end of durations that still run */
export function batchPicture(progress: BatchProgress, nowMs: number): string[] {
  const { batch, stage, counts, longest, window, lastRequest } = progress;
  return [
    `Batch ${batch}: ${stage.replaceAll('-', ' ')}`,
    `  ${bar(counts)}`,
    `  ${rateText(progress, nowMs)}`,
    `  ${countsText(counts)}`,
    `  limits   ${limitsText(progress.concurrency)}`,
    ...(window === undefined ? [] : [`  window   ${windowText(window, nowMs)}`]),
    ...longest.map(
      ({ volumes, to, sinceMs }, i) =>
        `  ${i === 0 ? 'longest ' : '        '} ${namesOf(volumes)} → ${to}, for ${duration(Math.max(0, nowMs - sinceMs))}`,
    ),
    ...lastFailures(progress).map((line, i) => `  ${i === 0 ? 'failed  ' : '        '} ${line}`),
    ...(lastRequest === undefined ? [] : [`  request  ${lastRequest}`]),
    ...nextCommands(progress).map((command, i) => `  ${i === 0 ? 'next    ' : '        '} ${command}`),
  ].map((line) => printable(line));
}

/**
 * A progress as one log line.
 * @example "running: 12 of 40 ended, 11 moved, 1 failed, 8 running, 20 waiting; 9.5 a minute"
 */
export function batchLine(progress: BatchProgress): string {
  const { stage, counts, perMinute, expectedEndMs } = progress;
  const until = expectedEndMs === undefined ? '' : `, done at about ${time(expectedEndMs)}`;
  const next = nextCommands(progress).map((command) => `; ${command}`);
  return `${stage}: ${endedOf(counts)} of ${counts.planned} ended, ${countsText(counts)}; ${perMinute} a minute${until}${next.join('')}`;
}

function lastFailures({ failures, counts }: BatchProgress): string[] {
  const shown = failures.slice(-FAILURES_SHOWN);
  const more = counts.failed - shown.length;
  return [...shown.map(failureLine), ...(more > 0 ? [`… and ${counted(more, 'more failed move')}`] : [])];
}

function bar(counts: BatchCounts): string {
  const { planned } = counts;
  const ended = endedOf(counts);
  const share = planned === 0 ? 0 : ended / planned;
  const full = Math.round(share * BAR_WIDTH);
  const bar = '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full);
  return `${bar} ${ended} of ${planned} (${Math.floor(share * 100)} %)`;
}

function rateText({ perMinute, expectedEndMs, startedAtMs }: BatchProgress, nowMs: number): string {
  const left =
    expectedEndMs === undefined
      ? ''
      : `, done at about ${time(expectedEndMs)} (in ${duration(Math.max(0, expectedEndMs - nowMs))})`;
  return `${perMinute} moves a minute${left}, running for ${duration(Math.max(0, nowMs - startedAtMs))}`;
}

export function limitsText({ all, perSourceGroup, perTargetGroup, perAppliance }: Concurrency): string {
  return [
    `${all} at once`,
    ...(perSourceGroup === undefined ? [] : [`${perSourceGroup} out of a group`]),
    ...(perTargetGroup === undefined ? [] : [`${perTargetGroup} into a group`]),
    ...(perAppliance === undefined ? [] : [`${perAppliance} at an appliance`]),
  ].join(', ');
}

function windowText({ opensAtMs, closesAtMs }: NonNullable<BatchProgress['window']>, nowMs: number): string {
  if (nowMs < opensAtMs) return `opens ${time(opensAtMs)} (in ${duration(opensAtMs - nowMs)})`;
  if (nowMs < closesAtMs) return `open until ${time(closesAtMs)} (for ${duration(closesAtMs - nowMs)})`;
  return `closed since ${time(closesAtMs)}`;
}

/** A batch at one moment, for `status`; its report once it has ended. */
export function batchLines(batch: Batch, nowMs: number): string[] {
  const { batchId, state, progress, report, error, url, startedAtMs, endedAtMs } = batch;
  const ended =
    endedAtMs === undefined ? '' : `, ended ${time(endedAtMs)} (after ${duration(endedAtMs - startedAtMs)})`;
  const head = [
    `Batch ${batchId}: ${state}`,
    `  started ${time(startedAtMs)}${ended}`,
    ...(url === undefined ? [] : [`  ${url}`]),
  ];
  if (report !== undefined) return [...head, ...batchReportLines(report)];
  if (state === 'running' && progress !== undefined) {
    // What `watch` shows, its stage first: a batch that waits for a person looks like one.
    const [stage = '', ...picture] = batchPicture(progress, nowMs);
    return [stage, ...head.slice(1), ...picture, ...watchLines(batch)];
  }
  return [
    ...head,
    ...(state === 'running' ? ['  Its progress is not known: no worker answers.'] : []),
    ...(progress === undefined ? [] : [`  ${countsText(progress.counts)}`]),
    ...(error === undefined ? [] : [`  ${printable(error.message)} (${error.code})`]),
  ];
}

function watchLines({ workflowId }: Batch): string[] {
  return [`  watch it with: volume-mover batch watch ${workflowId}`];
}

function batchReportLines(report: BatchReport): string[] {
  const { summary, operator, reason, counts, failures, leftOut, addedMeanwhile, removedMeanwhile } = report;
  const shown = failures.slice(0, FAILURES_SHOWN);
  const lines = [
    ...(operator === undefined ? [] : [`asked for by ${operator}`]),
    ...(reason === undefined ? [] : [`because ${reason}`]),
    summary,
    ...shown.flatMap((failure) => [`failed: ${failureLine(failure)}`, ...adviceOf(failure)]),
    ...(counts.failed > shown.length ? [`… and ${counted(counts.failed - shown.length, 'more failed move')}`] : []),
    ...leftOut
      .slice(0, FAILURES_SHOWN)
      .flatMap(({ volumes, code, message }) => [
        `left out: ${namesOf(volumes)}: ${message} (${code})`,
        `  what to do: ${ERRORS[code].action}`,
      ]),
    ...(counts.refused > Math.min(leftOut.length, FAILURES_SHOWN)
      ? [`… and ${counts.refused - Math.min(leftOut.length, FAILURES_SHOWN)} more left out, ${NOT_LISTED}`]
      : []),
    ...(addedMeanwhile.length === 0
      ? []
      : [`match the selector only since the batch was planned: ${namesOf(addedMeanwhile)}`]),
    ...(removedMeanwhile.length === 0 ? [] : [`no longer match the selector: ${namesOf(removedMeanwhile)}`]),
  ];
  return lines.map((line) => `  ${printable(line)}`);
}

function adviceOf({ action, code }: BatchFailure): string[] {
  const advice = action ?? (code === undefined ? undefined : ERRORS[code].action);
  return advice === undefined ? [] : [`  what to do: ${advice}`];
}
