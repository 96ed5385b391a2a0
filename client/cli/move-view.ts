// Shows a move to people: its progress line by line, and its report at the end.
import type { WayBack } from '../../contracts/attempt.js';
import {
  type Heartbeat,
  MOVE_STEPS,
  type MoveProgress,
  type MoveReport,
  type MoveStage,
  type StepReport,
} from '../../contracts/move.js';
import { namesOf } from '../batches/batch-lines.js';
import type { Move } from '../moves/move-client.js';
import { wayBackText } from '../moves/way-back.js';
import { printable } from '../text/printable.js';
import { bytes, counted, duration, time } from '../text/format.js';
import { nextOfMove } from './next-commands.js';

const STEP_MEANING: Readonly<Record<StepReport['step'], string>> = {
  queued: 'waited for another move of the volumes',
  notify: 'attempt opened, splitters notified',
  ready: 'stood by until the fence was due',
  flush: 'fence raised, everything up to the cut applied',
  snapshot: 'snapshot at the cut sealed',
  bookmark: '"left" bookmark set',
  reconfigure: 'committed, splitters re-routed, joined',
  resolve: 'verdict received',
  learn: 'splitters informed, nothing changes for them',
  verify: 'volume and replica are the same',
};

/**
 * A finished step. @example "  ✓ flush        38 ms  fence raised, everything up to the cut
 * applied"
 */
export function stepLine({ step, attempt, startedAtMs, endedAtMs, error }: StepReport): string {
  const mark = error === undefined ? '✓' : '✗';
  const took = duration(endedAtMs - startedAtMs).padStart(8);
  const tries = attempt > 1 ? ` (attempt ${attempt})` : '';
  return `  ${mark} ${step.padEnd(11)} ${took}  ${error === undefined ? STEP_MEANING[step] : error.message}${tries}`;
}

/** The status line; empty when nothing runs. */
export function stageLine(stage: MoveStage, sinceMs: number, doing?: Heartbeat): string {
  const running = duration(sinceMs);
  if (doing !== undefined) return `  … ${stage}: ${doingText(doing)} (${running})`;
  const index = MOVE_STEPS.findIndex((step) => step === stage);
  if (index >= 0) return `  … ${stage} (step ${index + 1} of ${MOVE_STEPS.length}, ${running})`;
  if (stage === 'done' || stage === 'failed') return '';
  return `  … ${stage} (${running})`;
}

/**
 * How far a step is. @example "19.4 MiB left, 0.7 MiB/s, about 28 s, not fenced yet", "64 KiB left,
 * fenced 0.2 s"
 */
export function doingText({ doing, bytesLeft, bytesPerSecond, fencedMs, waitsFor }: Heartbeat): string {
  const rate =
    bytesPerSecond === undefined
      ? []
      : [`${bytes(Math.round(bytesPerSecond))}/s`, `about ${duration((bytesLeft / bytesPerSecond) * 1_000)}`];
  const isBeforeFence = doing === 'standing by' || doing === 'waiting for small lag';
  return [
    ...(waitsFor === undefined ? [] : [waitsFor]),
    `${bytes(bytesLeft)} left`,
    ...rate,
    ...(isBeforeFence ? ['not fenced yet'] : []),
    ...(fencedMs === undefined ? [] : [`fenced ${duration(fencedMs)}`]),
  ].join(', ');
}

/** @example "  notify is tried again, at …, after 3 failures: Splitter h awaits the verdict." */
export function retryingLine(stage: MoveStage, retrying: NonNullable<Move['retrying']>): string {
  const { failures, message, nextAtMs } = retrying;
  const next = nextAtMs === undefined ? '' : `, at ${time(nextAtMs)}`;
  return printable(`  ${stage} is tried again${next}, after ${counted(failures, 'failure')}: ${message}`);
}

/** The steps that are not shown yet. */
export function newSteps(progress: MoveProgress, shown: number): readonly StepReport[] {
  return progress.steps.slice(shown);
}

/** @param wayBack as it is now, if that is known */
export function reportLines(report: MoveReport, wayBack?: WayBack): string[] {
  const { from, to, volumes, bookmarks, abortedAttempts } = report;
  const resent = volumes.reduce((sum, volume) => sum + volume.resentBytes, 0);
  const backlog = volumes.reduce((sum, volume) => sum + volume.backlogBytes, 0);
  const holes = volumes.flatMap((volume) => volume.holes);
  const back = wayBackText(report, wayBack);
  return [
    `Moved ${volumes.map(({ volume }) => volume).join(', ')} from ${from.group} to ${to.group} in ${duration(report.endedAtMs - report.startedAtMs)}.`,
    `  fenced      ${duration(report.fencedMs)}, backlog ${bytes(backlog)}, sent again ${bytes(resent)}`,
    `  bookmarks   ${from.group}: ${bookmarks.left.point} "${bookmarks.left.name}"`,
    `              ${to.group}: ${bookmarks.joined.point} "${bookmarks.joined.name}"`,
    ...(back === undefined ? [] : [`  way back    ${back}`]),
    ...volumes.map(
      ({ volume, epochBefore, epochAfter, cut }) =>
        `  ${volume}  epoch ${epochBefore} → ${epochAfter}, cut at position ${cut.position}`,
    ),
    ...abortedAttempts.map(({ n, reason }) => `  attempt ${n} was rolled back: ${reason}`),
    ...holes.map(({ volume, reason }) => `  hole: ${volume}, only the end state can be recovered (${reason})`),
    ...(report.verified ?? []).map(
      ({ volume, regions, startedAtMs, endedAtMs }) =>
        `  ${volume}  verified: all ${regions} regions are the same as at the replica (${duration(endedAtMs - startedAtMs)})`,
    ),
    ...(report.completedForward
      ? ['  A failure or a cancellation came after the commit, so the move was completed.']
      : []),
  ];
}

/** A move as one line among others. @example "vm-1 → cg-silver  flush (step 2 of 5), 1.2 s  m-7" */
export function moveLine(move: Move, nowMs: number): string {
  const { progress, state, error, workflowId, startedAtMs, endedAtMs } = move;
  const what = progress === undefined ? '' : `${namesOf(progress.volumes)} → ${progress.to}  `;
  const took = duration(Math.max(0, (endedAtMs ?? nowMs) - startedAtMs));
  const end = error === undefined ? '' : `: ${error.message} (${error.code})`;
  const waits = state === 'running' && progress?.stage === 'queued' ? `  ${progress.waitsFor ?? ''}` : '';
  return printable(
    `${what}${state === 'running' ? stageText(progress?.stage) : state}, ${took}  ${workflowId}${end}${waits}`,
  );
}

/** @example "flush (step 2 of 5)", "rolling-back" */
function stageText(stage: MoveStage | undefined): string {
  if (stage === undefined) return 'running';
  const index = MOVE_STEPS.findIndex((step) => step === stage);
  return index < 0 ? stage : `${stage} (step ${index + 1} of ${MOVE_STEPS.length})`;
}

/** A move at one moment, for `status`. */
export function moveLines(move: Move): string[] {
  const { progress, report, error, url, doing, wayBack, retrying } = move;
  const ended = move.endedAtMs === undefined ? '' : `, ended ${time(move.endedAtMs)}`;
  return [
    `Move ${move.moveId}: ${move.state}${progress === undefined || move.state !== 'running' ? '' : ` (${progress.stage})`}`,
    `  started ${time(move.startedAtMs)}${ended}`,
    ...(progress === undefined
      ? ['  Its progress is not known: no worker answers.']
      : [`  ${progress.volumes.join(', ')} → ${progress.to}`, ...progress.steps.map(stepLine)]),
    ...(progress === undefined || doing === undefined ? [] : [`  … ${progress.stage}: ${doingText(doing)}`]),
    ...(progress?.waitsFor === undefined ? [] : [`  ${progress.waitsFor}`]),
    ...(progress === undefined || retrying === undefined ? [] : [retryingLine(progress.stage, retrying)]),
    ...(url === undefined ? [] : [`  ${url}`]),
    ...(report === undefined ? [] : reportLines(report, wayBack)),
    ...(error === undefined ? [] : [`  ${error.message} (${error.code})`]),
    ...(move.state === 'running' ? nextOfMove(move.workflowId) : []),
  ];
}
