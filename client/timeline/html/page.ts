// A timeline as a self-contained page: no other file, no network, and no script but its own.
import type { Hole, Ownership } from '../../../contracts/point.js';
import { htmlDocument } from '../../html/document.js';
import type { MarkedPoint, Timeline } from '../timeline.js';
import { bookmarkText, bookmarkKeepText, ownerText, spanBackText } from '../texts.js';
import { counted, time } from '../../text/format.js';
import { drawChart } from './chart.js';
import { DetailsTable } from './details.js';
import { escaped } from '../../html/escape.js';
import { type Column, htmlTable } from '../../html/table.js';
import { SCRIPT } from './script.js';
import { STYLE } from './style.js';
import { type TimelinePageInput, viewsOf } from './views.js';

/** Bookmarks and holes listed below the picture, the newest. Each is a row of the page. */
const ROWS_MAX = 500;

export function timelinePage(input: TimelinePageInput): string {
  const { owner, nowMs } = input;
  const views = viewsOf(input);
  const [{ timeline }] = views;
  const details = new DetailsTable(timeline.damaged);
  const title = `Recovery points of ${ownerText(owner)}`;
  const name = 'volume' in owner ? owner.volume : owner.group;
  const buttons = views.map(
    ({ id, name: view }) => `<button type="button" data-view="${id}" aria-pressed="${id === 'all'}">${view}</button>`,
  );
  const charts = views.map(
    ({ id, name: view, timeline: shown }) =>
      `<section data-view="${id}" aria-label="${view}"><p class="sub">${rangeText(shown)}</p><div class="scroll chart-frame">${drawChart(shown, details)}</div></section>`,
  );
  return htmlDocument({
    title,
    style: STYLE,
    script: SCRIPT,
    data: { points: details.points, listCommand: `volume-mover points ${name} --list` },
    body: `<h1>${escaped(title)}</h1>
<p class="sub">As of ${time(nowMs)}. All times are UTC.</p>
${facts(timeline)}
<div class="card">
${views.length === 1 ? '' : `<div class="views" role="group" aria-label="Span shown">${buttons.join('')}</div>`}
<svg class="defs" aria-hidden="true"><defs>${HATCH}</defs></svg>
${charts.join('\n')}
${legend(timeline)}
</div>
<div class="card details" aria-live="polite">
<h2>Details</h2>
<div id="details-body"><p>Point at a column or a flag, or reach it by Tab and the arrow keys. A click holds it here, another lets it go.</p></div>
<noscript><p>Details need the page's own script, which this browser does not run.</p></noscript>
</div>
${bookmarkTable(timeline.bookmarks)}
${holeTable(timeline.holes)}
${wayBackTable(timeline.reversible)}
<footer>Made by volume-mover points ${escaped(name)} --html.</footer>`,
  });
}

const HATCH =
  '<pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-back" width="8" height="8"/><line class="hatch-line" x1="0" x2="0" y1="0" y2="8"/></pattern>';

/** The range in words. @example "2026-11-23 10:00:00 to 2026-11-23 12:00:00 UTC" */
function rangeText({ range: { fromMs, toMs } }: Timeline): string {
  return `${shortTime(fromMs)} to ${shortTime(toMs)} UTC`;
}

function shortTime(ms: number): string {
  return time(ms).slice(0, 'YYYY-MM-DDThh:mm:ss'.length).replace('T', ' ');
}

function facts({ points, bookmarks, holes, pointsBefore, pointsAfter }: Timeline): string {
  const [oldest, newest] = [points[0], points.at(-1)];
  const outside = pointsBefore + pointsAfter;
  const open = holes.filter(({ untilMs }) => untilMs === undefined).length;
  const all: readonly (readonly [string, string, boolean?])[] = [
    ['Recovery points', points.length.toLocaleString('en-US')],
    ...(oldest === undefined ? [] : [['Oldest', shortTime(oldest.atMs)] as const]),
    ...(newest === undefined ? [] : [['Newest', shortTime(newest.atMs)] as const]),
    ['Bookmarks', String(bookmarks.length)],
    ['Holes', open === 0 ? String(holes.length) : `${holes.length}, ${open} still open`, holes.length > 0],
    ...(outside === 0 ? [] : [['Outside this span', outside.toLocaleString('en-US')] as const]),
  ];
  const rows = all.map(
    ([term, text, isBad = false]) => `<div${isBad ? ' class="bad"' : ''}><dt>${term}</dt><dd>${text}</dd></div>`,
  );
  return `<dl class="facts">${rows.join('')}</dl>`;
}

/** The legend, only with symbols that the picture has. */
function legend({ owner, lanes, bookmarks, points }: Timeline): string {
  const inOrBy = 'volume' in owner ? 'owned by the group' : 'the volume is in the group';
  const entries = [
    ...(points.length === 0
      ? []
      : [
          [
            '<rect class="lane0" x="4" y="9" width="4" height="8" rx="1"/><rect class="lane0" x="16" y="1" width="4" height="16" rx="1"/>',
            'recovery points: the higher, the more in a column',
          ],
        ]),
    ...(lanes.some(({ spans }) => spans.length > 0)
      ? [
          [
            '<rect class="lane0" x="0" y="5" width="17" height="8"/><path class="lane0" d="M16 1l9 8l-9 8z"/>',
            `${inOrBy}; an arrow: still`,
          ],
        ]
      : []),
    ...(lanes.some(({ leftOut }) => leftOut.length > 0)
      ? [['<circle class="out" cx="13" cy="9" r="5"/>', 'the points here leave the volume out']]
      : []),
    ...(lanes.some(({ holes }) => holes.length > 0)
      ? [
          [
            '<rect class="hole" x="1" y="1" width="24" height="16" rx="2"/>',
            'hole: only the state at its end can be recovered',
          ],
        ]
      : []),
    ...(bookmarks.length === 0
      ? []
      : [
          [
            '<g class="flag"><rect x="3" y="0" width="20" height="18" rx="9"/><text x="13" y="14">A</text></g>',
            'bookmark, listed below; 3× means three at one place',
          ],
        ]),
  ];
  const items = entries.map(
    ([drawing = '', text = '']) => `<li><svg viewBox="0 0 26 18" aria-hidden="true">${drawing}</svg>${text}</li>`,
  );
  return entries.length === 0
    ? '<p class="sub">There is nothing to show yet.</p>'
    : `<ul class="legend">${items.join('')}</ul>`;
}

const BOOKMARK_COLUMNS: readonly Column[] = [
  { title: '' },
  { title: 'Name' },
  { title: 'Time', kind: 'nowrap' },
  { title: 'Group' },
  { title: 'Kind' },
  { title: 'Kept' },
  { title: 'Point', kind: 'mono' },
];
const WAY_BACK_COLUMNS: readonly Column[] = [{ title: 'Volume' }, { title: 'Group' }, { title: 'Way back' }];
const HOLE_COLUMNS: readonly Column[] = [
  { title: 'Volume' },
  { title: 'From', kind: 'nowrap' },
  { title: 'To', kind: 'nowrap' },
  { title: 'Why' },
];

function bookmarkTable(bookmarks: readonly MarkedPoint[]): string {
  if (bookmarks.length === 0) return '';
  const rows = bookmarks
    .slice(-ROWS_MAX)
    .map(({ mark, point, bookmark }) => [
      `<span class="letter">${mark}</span>`,
      escaped(bookmarkText(bookmark)),
      time(point.atMs),
      escaped(point.group),
      point.kind,
      bookmarkKeepText(bookmark),
      escaped(point.id),
    ]);
  return section('Bookmarks', bookmarks.length, htmlTable(BOOKMARK_COLUMNS, rows));
}

function holeTable(holes: readonly Hole[]): string {
  if (holes.length === 0) return '';
  const rows = holes
    .slice(-ROWS_MAX)
    .map(({ volume, sinceMs, untilMs, reason }) => [
      escaped(volume),
      time(sinceMs),
      untilMs === undefined ? '<span class="badge">still open</span>' : time(untilMs),
      escaped(reason),
    ]);
  return section('Holes: only the state at the end can be recovered', holes.length, htmlTable(HOLE_COLUMNS, rows));
}

function wayBackTable(reversible: readonly Ownership[]): string {
  if (reversible.length === 0) return '';
  const rows = reversible
    .slice(-ROWS_MAX)
    .map((span) => [escaped(span.volume), escaped(span.group), escaped(spanBackText(span) ?? '')]);
  return section('Moves that can be reversed, or could', reversible.length, htmlTable(WAY_BACK_COLUMNS, rows));
}

function section(title: string, count: number, table: string): string {
  const hidden = count - ROWS_MAX;
  const more =
    hidden <= 0 ? '' : `<p class="sub">The newest ${ROWS_MAX}; ${counted(hidden, 'older row')} not shown.</p>`;
  return `<section><h2>${title}</h2><div class="card scroll">${more}${table}</div></section>`;
}
