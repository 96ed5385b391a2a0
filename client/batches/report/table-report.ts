// A batch's report for a terminal: moves as they arrive, then the totals, since a reader sees the
// last lines first.
import { ERRORS } from '../../../contracts/errors.js';
import { countsText, failureLine, namesOf, NOT_LISTED } from '../batch-lines.js';
import { bytes, duration, time } from '../../text/format.js';
import { table } from '../../text/table.js';
import type { Batch } from '../batch-client.js';
import { printable } from '../../text/printable.js';
import type { BatchMoveReport } from '../batch-moves.js';
import { BatchTally, type GroupTally } from '../tally.js';
import type { BatchReportFormat } from './format.js';
import { othersOf } from './others.js';

/** Widths of the columns. They fit most values, since later rows are not yet known. */
const WIDTHS = [7, 13, 24, 12, 16, 16] as const;
const TITLES = ['SEQ', 'OUTCOME', 'STARTED', 'TOOK', 'FROM', 'TO', 'VOLUMES'];
const GROUP_TITLES = ['FROM', 'TO', 'MOVED', 'FAILED', 'OTHERS', 'SIZE', 'FIRST', 'LAST', 'MEDIAN', 'P95', 'LONGEST'];
/** Failures explained below the rows. */
const FAILURES_SHOWN = 100;

export function tableReport(batch: Batch): BatchReportFormat {
  const tally = new BatchTally();
  const failures: BatchMoveReport[] = [];
  return {
    begin: () => row(TITLES),
    move: (move) => {
      tally.add(move);
      if (move.outcome === 'failed' && failures.length < FAILURES_SHOWN) failures.push(move);
      return row(cellsOf(move));
    },
    end: () => `${endLines(batch, tally, failures).join('\n')}\n`,
  };
}

function row(cells: readonly string[]): string {
  const padded = cells.map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0));
  return `${padded.join('  ').trimEnd()}\n`;
}

function cellsOf({ seq, outcome, startedAtMs, endedAtMs, from, to, volumes, tries }: BatchMoveReport): string[] {
  return [
    String(seq),
    tries > 1 ? `${outcome} (${tries})` : outcome,
    startedAtMs === undefined ? '-' : time(startedAtMs),
    startedAtMs === undefined || endedAtMs === undefined ? '-' : duration(endedAtMs - startedAtMs),
    from,
    to,
    volumes.join(' '),
  ];
}

function endLines(batch: Batch, tally: BatchTally, failures: readonly BatchMoveReport[]): string[] {
  const { batchId, state, startedAtMs, endedAtMs, report, progress } = batch;
  const counts = (report ?? progress)?.counts;
  const durations = tally.durations();
  const all = tally.groups();
  const failed = all.reduce((sum, group) => sum + group.counts.failed, 0);
  return [
    '',
    `Batch ${batchId}: ${state}`,
    `  ${time(startedAtMs)} to ${endedAtMs === undefined ? 'now, it still runs' : `${time(endedAtMs)} (${duration(endedAtMs - startedAtMs)})`}`,
    ...(report === undefined ? [] : [`  ${printable(report.summary)}`]),
    ...(report === undefined && counts !== undefined ? [`  ${countsText(counts)}`] : []),
    ...(durations === undefined
      ? []
      : [
          `  a move took ${duration(durations.medianMs)} (median), ${duration(durations.p95Ms)} (95 %), ${duration(durations.longestMs)} at most`,
        ]),
    ...tally.longest.map(({ volumes, to, tookMs }) => `  longest: ${duration(tookMs)}  ${namesOf(volumes)} → ${to}`),
    ...(all.length === 0 ? [] : ['', table(GROUP_TITLES, all.map(groupCells))]),
    ...failureLines(failures, failed, batchId),
    ...leftOutLines(batch),
  ];
}

function groupCells(group: GroupTally): string[] {
  const { from, to, counts, bytesMoved, span, durations } = group;
  return [
    from,
    to,
    String(counts.moved),
    String(counts.failed),
    String(othersOf(group)),
    bytes(bytesMoved),
    span === undefined ? '-' : time(span.fromMs),
    span === undefined ? '-' : time(span.toMs),
    ...(durations === undefined
      ? ['-', '-', '-']
      : [duration(durations.medianMs), duration(durations.p95Ms), duration(durations.longestMs)]),
  ];
}

function failureLines(failures: readonly BatchMoveReport[], failed: number, batchId: string): string[] {
  if (failures.length === 0) return [];
  const more = failed - failures.length;
  return [
    '',
    'Failed:',
    ...failures.flatMap(({ seq, volumes, to, tries, problem, committed }) => [
      `  ${failureLine({ seq, volumes: [...volumes], to, tries, message: problem?.message ?? 'without a reason', ...(problem === undefined ? {} : { code: problem.code }) })}`,
      ...(committed === true ? ['    the move is committed: the volumes are in their new group'] : []),
      ...(problem === undefined ? [] : [`    what to do: ${problem.action}`]),
    ]),
    ...(more > 0 ? [`  … and ${more} more; all of them: volume-mover batch report ${batchId} --format csv`] : []),
  ];
}

function leftOutLines({ report }: Batch): string[] {
  if (report === undefined) return [];
  const { leftOut, counts, addedMeanwhile, removedMeanwhile } = report;
  const more = counts.refused - leftOut.length;
  return [
    ...(counts.alreadyThere === 0 ? [] : ['', `Already there: ${counts.alreadyThere}`]),
    ...(leftOut.length === 0 ? [] : ['', 'Left out:']),
    ...leftOut.flatMap(({ volumes, message, code, from, sizeBytes }) => [
      `  ${printable(`${namesOf(volumes)}${placeText(from, sizeBytes)}: ${message} (${code})`)}`,
      `    what to do: ${ERRORS[code].action}`,
    ]),
    ...(more > 0 ? [`  … and ${more} more, ${NOT_LISTED}`] : []),
    ...(addedMeanwhile.length === 0
      ? []
      : ['', `Match the selector only since the batch was planned: ${namesOf(addedMeanwhile)}`]),
    ...(removedMeanwhile.length === 0 ? [] : ['', `No longer match the selector: ${namesOf(removedMeanwhile)}`]),
  ];
}

/** @example ", 64 MiB in cg-gold" */
function placeText(from: string | undefined, sizeBytes: number | undefined): string {
  return from === undefined || sizeBytes === undefined ? '' : `, ${bytes(sizeBytes)} in ${from}`;
}
