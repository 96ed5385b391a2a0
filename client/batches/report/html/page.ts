// The page of a batch's report: result, chart, failures with advice, and moves.
import { NOT_LISTED } from '../../batch-lines.js';
import type { BatchCounts } from '../../../../contracts/batch.js';
import { type ErrorCode, ERRORS } from '../../../../contracts/errors.js';
import { bytes, duration, counted, time } from '../../../text/format.js';
import type { Batch } from '../../batch-client.js';
import { htmlDocument } from '../../../html/document.js';
import { escaped } from '../../../html/escape.js';
import { type Column, htmlTable } from '../../../html/table.js';
import type { BatchMoveReport } from '../../batch-moves.js';
import type { BatchTally, GroupTally } from '../../tally.js';
import { othersOf } from '../others.js';
import type { Buckets } from './buckets.js';
import { drawChart, LANES_MAX } from './chart.js';
import { STYLE } from './style.js';

/** Rows of the table of groups. An estate has hundreds of groups; a mapping may have more. */
const GROUPS_MAX = 1_000;
/** Volumes named in one row. */
const NAMES_MAX = 8;

export interface BatchPageInput {
  readonly batch: Batch;
  readonly nowMs: number;
  /** Totals of all moves. */
  readonly tally: BatchTally;
  readonly buckets: Buckets;
  /** The first moves, for the table. */
  readonly moves: readonly BatchMoveReport[];
  /** The first failed moves. */
  readonly failures: readonly BatchMoveReport[];
}

export function batchPage(input: BatchPageInput): string {
  const { batch, nowMs, tally, buckets, moves, failures } = input;
  const { batchId, workflowId, state, startedAtMs, endedAtMs, report, progress } = batch;
  const title = `Batch ${workflowId}`;
  const csv = `volume-mover batch report ${batchId} --format csv --to moves.csv`;
  const groups = tally.groups();
  const failed = groups.reduce((sum, { counts }) => sum + counts.failed, 0);
  const chart = drawChart(buckets);
  const counts = (report ?? progress)?.counts;
  const ended =
    endedAtMs === undefined
      ? `still running at ${time(nowMs)}`
      : `${shortTime(endedAtMs)}, after ${duration(endedAtMs - startedAtMs)}`;
  return htmlDocument({
    title,
    style: STYLE,
    body: `<h1>${escaped(title)}</h1>
<p class="sub"><span class="state">${escaped(state)}</span>, ${shortTime(startedAtMs)} to ${ended}. All times are UTC. <span class="mono">${escaped(batchId)}</span></p>
${report === undefined ? '' : `<p class="summary">${escaped(report.summary)}</p>`}
${requested(batch)}
${facts(tally, groups, counts)}
${counts === undefined ? '' : share(counts)}
${chart === '' ? '' : `<section><h2>What moved when</h2><div class="card scroll">${chart}${groups.length > LANES_MAX ? `<p class="sub">The ${LANES_MAX} rows with the most moves; the table below has all.</p>` : ''}</div></section>`}
${failureTable(failures, failed, csv)}
${groupTable(groups)}
${longestTable(tally)}
${leftOut(batch)}
${moveTable(moves, tally.moves, csv)}
<footer>Made by volume-mover batch report ${escaped(batchId)} --format html.</footer>`,
  });
}

function requested({ report }: Batch): string {
  if (report?.operator === undefined && report?.reason === undefined) return '';
  const { operator, reason } = report;
  const by = operator === undefined ? '' : `Asked for by ${escaped(operator)}`;
  const why = reason === undefined ? '' : `${by === '' ? 'Because' : ', because'} ${escaped(reason)}`;
  return `<p class="sub">${by}${why}</p>`;
}

function facts(tally: BatchTally, groups: readonly GroupTally[], counts: BatchCounts | undefined): string {
  const durations = tally.durations();
  const moved = groups.reduce((sum, group) => sum + group.counts.moved, 0);
  const failed = groups.reduce((sum, group) => sum + group.counts.failed, 0);
  const size = groups.reduce((sum, { bytesMoved }) => sum + bytesMoved, 0);
  const volumes = groups.reduce((sum, { volumesMoved }) => sum + volumesMoved, 0);
  const all: readonly (readonly [string, string, boolean?])[] = [
    ['Moves planned', number(counts?.planned ?? tally.moves)],
    ['Moved', number(moved)],
    ['Failed', number(counts?.failed ?? failed), (counts?.failed ?? failed) > 0],
    ['Volumes moved', number(volumes)],
    ['Their size', bytes(size)],
    ...(durations === undefined
      ? []
      : [
          ['Median', duration(durations.medianMs)] as const,
          ['95 % within', duration(durations.p95Ms)] as const,
          ['Longest', duration(durations.longestMs)] as const,
        ]),
    ...(counts === undefined || counts.refused === 0 ? [] : [['Left out', number(counts.refused), true] as const]),
    ...(counts === undefined || counts.alreadyThere === 0
      ? []
      : [['Already there', number(counts.alreadyThere)] as const]),
  ];
  const rows = all.map(
    ([term, text, isBad = false]) => `<div${isBad ? ' class="bad"' : ''}><dt>${term}</dt><dd>${text}</dd></div>`,
  );
  return `<dl class="facts">${rows.join('')}</dl>`;
}

/** The shares of the outcomes as one bar. */
function share({ planned, moved, failed, cancelled, skipped, waiting, running }: BatchCounts): string {
  const parts = (
    [
      ['moved', 'moved', moved],
      ['failed', 'failed', failed],
      ['other', 'cancelled or skipped', cancelled + skipped],
      ['open', 'not moved', waiting + running],
    ] as const
  ).filter(([, , count]) => count > 0);
  const whole = Math.max(
    1,
    planned,
    parts.reduce((sum, [, , count]) => sum + count, 0),
  );
  let x = 0;
  const bars = parts.map(([name, , count]) => {
    const from = x;
    x += (count / whole) * 1_000;
    return `<rect class="${name}" x="${from.toFixed(1)}" y="0" width="${(x - from).toFixed(1)}" height="18"/>`;
  });
  const texts = parts.map(([, name, count]) => `${number(count)} ${name}`);
  const legend = parts.map(
    ([name], i) =>
      `<li><svg viewBox="0 0 14 14" aria-hidden="true"><rect class="${name}" width="14" height="14" rx="3"/></svg>${texts[i]}</li>`,
  );
  if (parts.length === 0) return '';
  return `<div class="card"><div class="share"><svg viewBox="0 0 1000 18" preserveAspectRatio="none" role="img" aria-label="${texts.join(', ')}">${bars.join('')}</svg></div><ul class="legend">${legend.join('')}</ul></div>`;
}

const FAILURE_COLUMNS: readonly Column[] = [
  { title: 'Seq', kind: 'number' },
  { title: 'Volumes' },
  { title: 'Groups' },
  { title: 'Tries', kind: 'number' },
  { title: 'Why, and what to do' },
];

function failureTable(failures: readonly BatchMoveReport[], failed: number, csv: string): string {
  const rows = failures.map(({ seq, volumes, from, to, tries, problem, committed }) => [
    String(seq),
    names(volumes),
    way(from, to),
    String(tries),
    `<span>${escaped(problem?.message ?? '')}${committed === true ? ' The move is committed: the volumes are in their new group.' : ''}${problem === undefined ? '' : why(problem.code, problem.action)}</span>`,
  ]);
  return section('Failed', FAILURE_COLUMNS, rows, { count: failed, csv });
}

const GROUP_COLUMNS: readonly Column[] = [
  { title: 'From' },
  { title: 'To' },
  { title: 'Moved', kind: 'number' },
  { title: 'Failed', kind: 'number' },
  { title: 'Others', kind: 'number' },
  { title: 'Size', kind: 'number' },
  { title: 'First began', kind: 'nowrap' },
  { title: 'Last ended', kind: 'nowrap' },
  { title: 'Median', kind: 'number' },
  { title: '95 % within', kind: 'number' },
  { title: 'Longest', kind: 'number' },
];

function groupTable(groups: readonly GroupTally[]): string {
  const rows = groups.slice(0, GROUPS_MAX).map((group) => {
    const { from, to, counts, bytesMoved, span, durations } = group;
    const times = span === undefined ? ['', ''] : [shortTime(span.fromMs), shortTime(span.toMs)];
    const took =
      durations === undefined
        ? ['', '', '']
        : [duration(durations.medianMs), duration(durations.p95Ms), duration(durations.longestMs)];
    const failed = counts.failed === 0 ? '0' : `<span class="badge">${number(counts.failed)}</span>`;
    const numbers = [number(counts.moved), failed, number(othersOf(group)), bytes(bytesMoved)];
    return [escaped(from), escaped(to), ...numbers, ...times, ...took];
  });
  return section('By group', GROUP_COLUMNS, rows, { count: groups.length });
}

function longestTable({ longest }: BatchTally): string {
  const rows = longest.map(({ volumes, to, tookMs }) => [names(volumes), id(to), duration(tookMs)]);
  const columns: readonly Column[] = [{ title: 'Volumes' }, { title: 'To' }, { title: 'Took', kind: 'number' }];
  return section('Took longest', columns, rows, { count: rows.length });
}

const LEFT_OUT_COLUMNS: readonly Column[] = [
  { title: 'Volumes' },
  { title: 'From' },
  { title: 'To' },
  { title: 'Size', kind: 'number' },
  { title: 'Why, and what to do' },
];

function leftOut({ report }: Batch): string {
  if (report === undefined) return '';
  const rows = report.leftOut.map(({ volumes, from, to, sizeBytes, code, message }) => [
    names(volumes),
    from === undefined ? '' : id(from),
    to === undefined ? '' : id(to),
    sizeBytes === undefined ? '' : bytes(sizeBytes),
    `<span>${escaped(message)}${why(code, ERRORS[code].action)}</span>`,
  ]);
  const changed = [
    ['Match the selector since it was planned', report.addedMeanwhile],
    ['No longer match the selector', report.removedMeanwhile],
  ] as const;
  const lists = changed
    .filter(([, volumes]) => volumes.length > 0)
    .map(
      ([title, volumes]) =>
        `<section><h2>${title}</h2><div class="card">${escaped(volumes.join(', '))}</div></section>`,
    );
  const table = section('Left out by the plan', LEFT_OUT_COLUMNS, rows, {
    count: report.counts.refused,
    rest: NOT_LISTED,
  });
  return [table, ...lists].join('\n');
}

const MOVE_COLUMNS: readonly Column[] = [
  { title: 'Seq', kind: 'number' },
  { title: 'Outcome', kind: 'nowrap' },
  { title: 'Volumes' },
  { title: 'Groups' },
  { title: 'Size', kind: 'number' },
  { title: 'Began', kind: 'nowrap' },
  { title: 'Took', kind: 'number' },
];

function moveTable(moves: readonly BatchMoveReport[], count: number, csv: string): string {
  const rows = moves.map(({ seq, outcome, volumes, from, to, sizeBytes, startedAtMs, endedAtMs, tries }) => {
    const took = startedAtMs === undefined || endedAtMs === undefined ? '' : duration(endedAtMs - startedAtMs);
    const end = outcome === 'failed' ? `<span class="badge">${outcome}</span>` : outcome;
    return [
      String(seq),
      `<span>${end}${tries > 1 ? ` (${tries} tries)` : ''}</span>`,
      names(volumes),
      way(from, to),
      bytes(sizeBytes),
      startedAtMs === undefined ? '' : shortTime(startedAtMs),
      took,
    ];
  });
  return section('Moves', MOVE_COLUMNS, rows, { count, csv });
}

/** A table with a title and, if rows are left out, how to get the rest. Empty without rows. */
function section(
  title: string,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { count, csv, rest }: { readonly count: number; readonly csv?: string; readonly rest?: string },
): string {
  if (count === 0) return '';
  const hidden = Math.max(0, count - rows.length);
  const all =
    csv === undefined ? '' : ` The table by group sums up all of them; get each one with: <code>${escaped(csv)}</code>`;
  const elsewhere = rest === undefined ? all : ` They are ${escaped(rest)}`;
  const more =
    hidden === 0
      ? ''
      : `<p class="sub">The first ${number(rows.length)}; ${counted(hidden, 'further row')} not shown.${elsewhere}</p>`;
  const table = rows.length === 0 ? '' : htmlTable(columns, rows);
  return `<section><h2>${title}</h2><div class="card scroll">${more}${table}</div></section>`;
}

function why(code: ErrorCode, action: string): string {
  return ` <span class="badge">${code}</span><span class="todo">What to do: ${escaped(action)}</span>`;
}

function way(from: string, to: string): string {
  return `<span>${id(from)} → ${id(to)}</span>`;
}

function names(volumes: readonly string[]): string {
  const more = volumes.length - NAMES_MAX;
  return `<span>${volumes.slice(0, NAMES_MAX).map(id).join(', ')}${more > 0 ? ` and ${more} more` : ''}</span>`;
}

/** An id that does not break at its hyphens. */
function id(name: string): string {
  return `<span class="id">${escaped(name)}</span>`;
}

function number(count: number): string {
  return count.toLocaleString('en-US');
}

/** A time in UTC without milliseconds. @example "2026-11-23 22:00:07" */
function shortTime(ms: number): string {
  return time(ms).slice(0, 'YYYY-MM-DDThh:mm:ss'.length).replace('T', ' ');
}
