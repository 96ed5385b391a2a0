// A timeline as SVG. Each lane has its name, bookmark flags, a histogram of points on a grid of
// columns, and the ownership bar.
import { ticksOf } from '../axis.js';
import { overlaps } from '../range.js';
import { type Cell, cellsOf, levelOf } from '../thinning.js';
import type { Lane, MarkedPoint, Timeline } from '../timeline.js';
import { bookmarkText, holeText, ownerText, reasonCounts } from '../texts.js';
import { counted, time } from '../../text/format.js';
import type { DetailsTable } from './details.js';
import { escaped } from '../../html/escape.js';
import { type Flag, flagLabel, placeFlags } from './flags.js';

/** Width of the drawing in its own pixels; the page scales it. */
const WIDTH = 1_240;
const LEFT = 8;
const RIGHT = WIDTH - 16;
const COLUMN = 4;
const COLUMNS = Math.floor((RIGHT - LEFT) / COLUMN);

const NAME_HEIGHT = 24;
const FLAG_ROW = 24;
const FLAG_HEIGHT = 20;
const HISTOGRAM = 44;
const TICK_MIN = 10;
const BAR = 14;
const LANE_GAP = 24;
const AXIS_HEIGHT = 30;
const LANE_COLOURS = 6;
const LEVELS = 12;
/** Narrowest hole that is visible and can hold its label. */
const HOLE_WIDTH_MIN = 6;
const HOLE_LABEL_WIDTH = 44;
const LABEL_CHARACTER = 8;

interface Chart {
  readonly timeline: Timeline;
  readonly details: DetailsTable;
  readonly countMax: number;
}

interface Placed {
  readonly svg: string;
  readonly height: number;
}

export function drawChart(timeline: Timeline, details: DetailsTable): string {
  const lanes = timeline.lanes.map((lane) => ({ lane, cells: cellsOf(lane, timeline.range, COLUMNS) }));
  const countMax = Math.max(1, ...lanes.flatMap(({ cells }) => cells.map(({ points }) => points.length)));
  const chart: Chart = { timeline, details, countMax };
  const parts: string[] = [];
  let top = 0;
  if ('group' in timeline.owner && timeline.bookmarks.length > 0) {
    const flags = drawFlags(chart, timeline.bookmarks, 0);
    parts.push(`<g class="lane">${flags.svg}</g>`);
    top += flags.height;
  }
  lanes.forEach(({ lane, cells }, index) => {
    const drawn = drawLane(chart, lane, cells, index, top);
    parts.push(drawn.svg);
    top += drawn.height + LANE_GAP;
  });
  const height = top + AXIS_HEIGHT;
  const label = `Timeline of ${ownerText(timeline.owner)}, ${time(timeline.range.fromMs)} to ${time(timeline.range.toMs)}`;
  return [
    `<svg class="chart" viewBox="0 0 ${WIDTH} ${height}" role="group" aria-label="${escaped(label)}">`,
    axis(timeline, top),
    ...parts,
    '</svg>',
  ].join('\n');
}

function xOf({ range: { fromMs, toMs } }: Timeline, atMs: number): number {
  const share = (atMs - fromMs) / Math.max(1, toMs - fromMs);
  return round(LEFT + Math.min(1, Math.max(0, share)) * (RIGHT - LEFT));
}

function round(x: number): number {
  return Math.round(x * 10) / 10;
}

function axis(timeline: Timeline, top: number): string {
  const fits = (count: number, length: number): boolean => count * (length * LABEL_CHARACTER + 40) <= RIGHT - LEFT;
  const ticks = ticksOf(timeline.range, fits).map(({ atMs, label }) => {
    const x = xOf(timeline, atMs);
    const half = (label.length * LABEL_CHARACTER) / 2;
    const textX = Math.min(RIGHT - half, Math.max(LEFT + half, x));
    return `<line class="grid" x1="${x}" x2="${x}" y1="0" y2="${top + 4}"/><text class="quiet" x="${textX}" y="${top + 20}" text-anchor="middle">${label}</text>`;
  });
  return `<g aria-hidden="true">${ticks.join('')}<line class="base" x1="${LEFT}" x2="${RIGHT}" y1="${top}" y2="${top}"/></g>`;
}

function drawLane(chart: Chart, lane: Lane, cells: readonly Cell[], index: number, top: number): Placed {
  const { timeline } = chart;
  const own = 'volume' in timeline.owner ? timeline.bookmarks.filter(({ point }) => point.group === lane.name) : [];
  const flags = drawFlags(chart, own, top + NAME_HEIGHT);
  const histogramTop = top + NAME_HEIGHT + flags.height;
  const barTop = histogramTop + HISTOGRAM;
  const colour = `lane${index % LANE_COLOURS}`;
  const height = NAME_HEIGHT + flags.height + HISTOGRAM + BAR;
  const text = `${counted(lane.points.length, 'point')}${lane.leftOut.length === 0 ? '' : `, left out of ${lane.leftOut.length} (${reasonCounts(lane.leftOut.map(({ reason }) => reason))})`}`;
  const svg = [
    `<g class="lane" role="group" aria-label="${escaped(`${lane.name}: ${text}`)}">`,
    `<rect x="0" y="${top}" width="${WIDTH}" height="${height}" fill="transparent"/>`,
    `<text class="name" x="${LEFT}" y="${top + 16}">${escaped(lane.name)} <tspan class="quiet" font-weight="400" dx="8">${escaped(text)}</tspan></text>`,
    bars(timeline, lane, colour, barTop),
    holes(timeline, lane, histogramTop, barTop),
    // Drawn above the holes: points that leave the volume out are often those of a hole.
    ticks(chart, cells, colour, barTop),
    flags.svg,
    '</g>',
  ].join('\n');
  return { svg, height };
}

function bars(timeline: Timeline, { spans }: Lane, colour: string, top: number): string {
  return spans
    .filter((span) => overlaps(timeline.range, span))
    .map(({ fromMs, toMs }) => {
      const x = xOf(timeline, fromMs);
      const end = xOf(timeline, toMs ?? timeline.range.toMs);
      const middle = top + BAR / 2;
      const arrow =
        toMs === undefined
          ? `<path class="${colour}" d="M${end} ${top - 1}l12 ${BAR / 2 + 1}l-12 ${BAR / 2 + 1}z"/>`
          : '';
      const closed = toMs === undefined ? 0 : 3;
      return `<rect class="${colour}" x="${x}" y="${middle - 4}" width="${round(Math.max(2, end - x))}" height="8" rx="${closed}"/>${arrow}`;
    })
    .join('');
}

function ticks({ details, countMax, timeline }: Chart, cells: readonly Cell[], colour: string, bottom: number): string {
  const columnMs = (timeline.range.toMs - timeline.range.fromMs) / COLUMNS;
  return cells
    .map(({ index, points, leftOut }, place) => {
      const x = LEFT + index * COLUMN;
      const level = levelOf(Math.max(1, points.length), countMax, LEVELS);
      const height = round(TICK_MIN + ((HISTOGRAM - TICK_MIN - 4) * (level - 1)) / (LEVELS - 1));
      const from = time(Math.round(timeline.range.fromMs + index * columnMs));
      const all = points.length > 0 ? points : leftOut.map(({ point }) => point);
      const what =
        points.length > 0 ? counted(points.length, 'point') : `left out of ${counted(leftOut.length, 'point')}`;
      const more = points.length > 0 && leftOut.length > 0 ? `, left out of ${leftOut.length} more` : '';
      const label =
        all.length === 1 ? `${what} at ${time(all[0]?.atMs ?? 0)}${more}` : `${what} from ${from} on${more}`;
      const shape =
        points.length > 0
          ? `<rect class="shape ${colour}" x="${x}" y="${round(bottom - height)}" width="${COLUMN - 1}" height="${height}" rx="1"/>`
          : `<circle class="shape out" cx="${x + 1.5}" cy="${bottom - 7}" r="4"/>`;
      const focus = place === cells.length - 1 ? 0 : -1;
      return target(x, focus, label, details.indexesOf(all), all.length, shape);
    })
    .join('\n');
}

function target(
  x: number,
  tabIndex: number,
  label: string,
  indexes: readonly number[],
  count: number,
  shape: string,
): string {
  return `<g class="at" role="img" tabindex="${tabIndex}" data-x="${x}" data-points="${indexes.join(' ')}" data-count="${count}" aria-label="${escaped(label)}">${shape}</g>`;
}

function holes(timeline: Timeline, lane: Lane, top: number, barTop: number): string {
  return lane.holes
    .filter((part) => overlaps(timeline.range, part))
    .map(({ hole, fromMs, toMs }) => {
      const x = xOf(timeline, fromMs);
      const width = round(Math.max(HOLE_WIDTH_MIN, xOf(timeline, toMs ?? timeline.range.toMs) - x));
      const label = width < HOLE_LABEL_WIDTH ? '' : `<text class="hole-label" x="${x + 4}" y="${top + 14}">hole</text>`;
      return `<g><title>${escaped(holeText(hole))}</title><rect class="hole" x="${x}" y="${barTop - 16}" width="${width}" height="${BAR + 16}" rx="2"/>${label}</g>`;
    })
    .join('');
}

function drawFlags({ timeline, details }: Chart, bookmarks: readonly MarkedPoint[], top: number): Placed {
  const flags = placeFlags(bookmarks, ({ point }) => xOf(timeline, point.atMs), [LEFT, RIGHT]);
  const rows = flags.length === 0 ? 0 : Math.max(...flags.map(({ row }) => row)) + 1;
  const height = rows * FLAG_ROW;
  // The first row is the lowest, right above the points.
  const centre = ({ row }: Flag): number => top + height - row * FLAG_ROW - FLAG_ROW / 2;
  const stem = 'volume' in timeline.owner ? HISTOGRAM : 0;
  const svg = [...flags]
    .sort((a, b) => b.row - a.row)
    .map((flag) => {
      const points = flag.marked.map(({ point }) => point);
      const y = centre(flag);
      const names = flag.marked.slice(0, 5).map(({ mark, bookmark }) => `${mark} "${bookmarkText(bookmark)}"`);
      const label = `${flag.marked.length === 1 ? 'Bookmark' : `${flag.marked.length} bookmarks:`} ${names.join(', ')}`;
      const stemX = xOf(timeline, points[0]?.atMs ?? 0);
      return [
        `<line class="stem" x1="${stemX}" x2="${stemX}" y1="${y}" y2="${top + height + stem}"/>`,
        target(
          stemX,
          -1,
          label,
          details.indexesOf(points),
          points.length,
          `<g class="flag"><rect class="shape" x="${round(flag.x - flag.width / 2)}" y="${y - FLAG_HEIGHT / 2}" width="${flag.width}" height="${FLAG_HEIGHT}" rx="${FLAG_HEIGHT / 2}"/><text x="${flag.x}" y="${y + 4.5}">${escaped(flagLabel(flag.marked))}</text></g>`,
        ),
      ].join('');
    })
    .join('\n');
  return { svg, height };
}
