// A move's report as one self-contained page that an auditor can file: who, why, when, the steps,
// the cut, the bookmarks, what was compared, and the stored record itself with its digest.
import { createHash } from 'node:crypto';
import type { WayBack } from '../../../contracts/attempt.js';
import type { MoveReport, StepReport } from '../../../contracts/move.js';
import type { StoredMoveReport } from '../../../contracts/report.js';
import { BASE_STYLE } from '../../html/base-style.js';
import { htmlDocument } from '../../html/document.js';
import { escaped } from '../../html/escape.js';
import { type Column, htmlTable } from '../../html/table.js';
import { bytes, duration, time } from '../../text/format.js';
import { wayBackText } from '../way-back.js';

const STYLE = `${BASE_STYLE}
.outcome { font-weight: 600; }
.summary { font-size: 17px; margin: 0 0 18px; overflow-wrap: anywhere; }
pre { margin: 8px 0 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px; }
@media print { details > * { display: block; } body { padding: 0; } }
`;

/** @param madeAtMs when the page is made */
export function moveReportPage(stored: StoredMoveReport, madeAtMs: number): string {
  const { move, outcome, volumes, from, to, startedAtMs, endedAtMs, report } = stored;
  // The very answer of the command with --json, so that anybody can compare the two.
  const record = JSON.stringify(stored);
  const names = volumes.join(', ');
  return htmlDocument({
    title: `Move of ${names} to ${to}`,
    style: STYLE,
    body: `<h1>Move of ${escaped(names)} to ${escaped(to)}</h1>
<p class="sub"><span class="outcome">${outcome}</span>, ${time(startedAtMs)} to ${time(endedAtMs)}, ${duration(endedAtMs - startedAtMs)}. All times are UTC. <span class="mono">${escaped(move)}</span></p>
<p class="summary">${summaryOf(stored)}</p>
${requestCard(stored)}
${report === undefined ? '' : facts(report, stored.wayBack)}
${problemCard(stored)}
${stepTable(report?.steps ?? stored.progress?.steps ?? [])}
${report === undefined ? '' : doneTables(report)}
<section><h2>The stored record</h2><div class="card">
<p class="sub">As the replica site keeps it. Its SHA-256 is <span class="mono">${digestOf(record)}</span>, which is also that of <code>volume-mover report ${escaped(move)} --json | tr -d '\\n'</code>.</p>
<details><summary>Show the record (JSON)</summary><pre>${escaped(record)}</pre></details>
</div></section>
<footer>Group before: ${escaped(from ?? 'not known')}. Made by volume-mover report ${escaped(move)} --format html at ${time(madeAtMs)}.</footer>`,
  });
}

function digestOf(record: string): string {
  return createHash('sha256').update(record).digest('hex');
}

/** The outcome in a sentence, with what it means for the data. */
function summaryOf({ outcome, volumes, from, to, report, ending }: StoredMoveReport): string {
  const [names, before, after] = [volumes.join(', '), from ?? 'its group', to].map(escaped);
  if (report !== undefined && outcome !== 'moved')
    return `The move is committed: ${after} owns ${names}. What came after it failed; the reason stands below.`;
  if (ending?.verdict === 'COMMITTED')
    return `The move was committed before its workflow ended: ${after} owns ${names}. Its recovery points of before stay in ${before}.`;
  switch (outcome) {
    case 'moved':
      return `${after} owns ${names}. Its recovery points of before stay in ${before}, and it was protected at every instant.`;
    case 'failed':
    case 'cancelled':
    case 'terminated':
      return `${names} stayed in ${before}, protected as before. Nothing was changed.`;
  }
}

function requestCard({ operator, reason, batch, seq }: StoredMoveReport): string {
  const rows = [
    ['Asked for by', escaped(operator ?? 'not told')],
    ['Because', escaped(reason ?? 'not told')],
    ...(batch === undefined ? [] : [['Part of', `move ${seq ?? '?'} of batch ${escaped(batch)}`]]),
  ];
  const items = rows.map(([term, text]) => `<div><dt>${term}</dt><dd>${text}</dd></div>`);
  return `<dl class="facts">${items.join('')}</dl>`;
}

function facts(report: MoveReport, wayBack: WayBack | undefined): string {
  const { fencedMs, volumes, cutAtMs, committedAtMs, attempt } = report;
  const back = wayBackText(report, wayBack);
  const sum = (of: (volume: MoveReport['volumes'][number]) => number): number =>
    volumes.reduce((total, volume) => total + of(volume), 0);
  const holeCount = sum((volume) => volume.holes.length);
  const all: readonly (readonly [string, string, boolean?])[] = [
    ['Fenced for', duration(fencedMs)],
    ['Held back', bytes(sum(({ backlogBytes }) => backlogBytes))],
    ['Sent again', bytes(sum(({ resentBytes }) => resentBytes))],
    ['Holes', String(holeCount), holeCount > 0],
    ['Attempt', String(attempt.n)],
    ['Cut at', time(cutAtMs)],
    ['Committed at', time(committedAtMs)],
    ...(back === undefined ? [] : [['Way back', escaped(back)] as const]),
  ];
  const items = all.map(
    ([term, text, isBad = false]) => `<div${isBad ? ' class="bad"' : ''}><dt>${term}</dt><dd>${text}</dd></div>`,
  );
  return `<dl class="facts">${items.join('')}</dl>`;
}

function problemCard({ problem, ending }: StoredMoveReport): string {
  if (problem === undefined) return '';
  const reasons = problem.reasons ?? [];
  const rows = [
    [escaped(problem.detail), badge(problem.code), escaped(problem.action)],
    ...(ending?.left ?? []).map((sentence) => [escaped(`It remained: ${sentence}`), '', '']),
    ...(ending?.record === undefined ? [] : [[escaped(`The replica site's record: ${ending.record}`), '', '']]),
    ...reasons.map(({ message, code }) => [escaped(message), badge(code), '']),
  ];
  return section('Why it did not succeed', [{ title: 'What' }, { title: 'Code' }, { title: 'What to do' }], rows);
}

const STEP_COLUMNS: readonly Column[] = [
  { title: 'Step' },
  { title: 'Try', kind: 'number' },
  { title: 'Began', kind: 'nowrap' },
  { title: 'Took', kind: 'number' },
  { title: 'End' },
];

function stepTable(steps: readonly StepReport[]): string {
  const rows = steps.map(({ step, attempt, startedAtMs, endedAtMs, error }) => [
    step,
    String(attempt),
    time(startedAtMs),
    duration(endedAtMs - startedAtMs),
    error === undefined
      ? 'done'
      : `<span>${escaped(error.message)} ${error.code === undefined ? '' : badge(error.code)}</span>`,
  ]);
  return section('Steps', STEP_COLUMNS, rows);
}

function doneTables({ volumes, bookmarks, verified, abortedAttempts }: MoveReport): string {
  const cuts = volumes.map(({ volume, splitter, epochBefore, epochAfter, cut }) => [
    escaped(volume),
    escaped(splitter),
    `${epochBefore} → ${epochAfter}`,
    String(cut.position),
    `${cut.session}/${cut.n}`,
  ]);
  const points = [bookmarks.left, bookmarks.joined].map(({ point, group, name }) => [
    escaped(name),
    escaped(group),
    escaped(point),
  ]);
  const compared = (verified ?? []).map(({ volume, regions, sizeBytes, startedAtMs, endedAtMs }) => [
    escaped(volume),
    `all ${regions} regions are the same`,
    bytes(sizeBytes),
    time(startedAtMs),
    duration(endedAtMs - startedAtMs),
  ]);
  const holes = volumes.flatMap((each) =>
    each.holes.map(({ volume, sinceMs, untilMs, reason }) => [
      escaped(volume),
      time(sinceMs),
      untilMs === undefined ? 'still open' : time(untilMs),
      escaped(reason),
    ]),
  );
  return [
    section('Cut', CUT_COLUMNS, cuts),
    section('Bookmarks', [{ title: 'Name' }, { title: 'Group' }, { title: 'Point', kind: 'mono' }], points),
    verified === undefined
      ? note('Comparison of source and replica', 'None was asked for with this move.')
      : section('Comparison of source and replica', COMPARED_COLUMNS, compared),
    holes.length === 0
      ? note('Holes', 'None: every write of the move is in the history.')
      : section('Holes: only the state at the end can be recovered', HOLE_COLUMNS, holes),
    section(
      'Attempts that were rolled back',
      [{ title: 'Attempt', kind: 'number' }, { title: 'Why' }],
      abortedAttempts.map(({ n, reason }) => [String(n), escaped(reason)]),
    ),
  ].join('\n');
}

const CUT_COLUMNS: readonly Column[] = [
  { title: 'Volume' },
  { title: 'Splitter' },
  { title: 'Epoch' },
  { title: 'Position', kind: 'number' },
  { title: 'Last write before it' },
];
const COMPARED_COLUMNS: readonly Column[] = [
  { title: 'Volume' },
  { title: 'Result' },
  { title: 'Size', kind: 'number' },
  { title: 'Began', kind: 'nowrap' },
  { title: 'Took', kind: 'number' },
];
const HOLE_COLUMNS: readonly Column[] = [
  { title: 'Volume' },
  { title: 'From', kind: 'nowrap' },
  { title: 'To', kind: 'nowrap' },
  { title: 'Why' },
];

/** A table with a title; empty without rows. */
function section(title: string, columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  return `<section><h2>${title}</h2><div class="card scroll">${htmlTable(columns, rows)}</div></section>`;
}

function note(title: string, text: string): string {
  return `<section><h2>${title}</h2><div class="card">${text}</div></section>`;
}

function badge(code: string): string {
  return `<span class="badge">${escaped(code)}</span>`;
}
