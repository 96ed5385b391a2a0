// The chart of a batch as SVG: a row per pair of groups, a column per span of time, failures
// stacked on moves.
import { ticksOf } from '../../../timeline/axis.js';
import { escaped } from '../../../html/escape.js';
import { counted, time } from '../../../text/format.js';
import type { Buckets, Lane } from './buckets.js';

/** Width of the drawing in its own pixels; the page scales it. */
const WIDTH = 1_240;
const LEFT = 8;
const RIGHT = WIDTH - 16;
const NAME_HEIGHT = 24;
const BARS_HEIGHT = 48;
const LANE_GAP = 18;
const AXIS_HEIGHT = 30;
/** Lowest bar that can be seen and pointed at. */
const BAR_MIN = 2;
const LABEL_CHARACTER = 8;
const LABEL_ROOM = 40;
/** Rows of the chart. The table below it has all pairs. */
export const LANES_MAX = 12;
export const COLUMNS = 136;

export function drawChart(buckets: Buckets): string {
  const lanes = buckets.lanes().slice(0, LANES_MAX);
  if (lanes.length === 0) return '';
  const highest = Math.max(
    ...lanes.map(({ moved, failed }) => Math.max(...moved.map((count, i) => count + (failed[i] ?? 0)))),
  );
  const laneHeight = NAME_HEIGHT + BARS_HEIGHT + LANE_GAP;
  const bottom = lanes.length * laneHeight;
  const { fromMs, toMs } = buckets.range;
  const label = `Moves by when they ended, ${time(fromMs)} to ${time(toMs)}`;
  return [
    `<svg class="chart" viewBox="0 0 ${WIDTH} ${bottom + AXIS_HEIGHT}" role="group" aria-label="${escaped(label)}">`,
    axis(buckets, bottom),
    ...lanes.map((lane, i) => drawLane(buckets, lane, i * laneHeight, highest)),
    '</svg>',
  ].join('\n');
}

function axis({ range }: Buckets, bottom: number): string {
  const fits = (count: number, length: number): boolean =>
    count * (length * LABEL_CHARACTER + LABEL_ROOM) <= RIGHT - LEFT;
  const widthMs = Math.max(1, range.toMs - range.fromMs);
  const ticks = ticksOf(range, fits).map(({ atMs, label }) => {
    const x = round(LEFT + ((atMs - range.fromMs) / widthMs) * (RIGHT - LEFT));
    const half = (label.length * LABEL_CHARACTER) / 2;
    const textX = Math.min(RIGHT - half, Math.max(LEFT + half, x));
    return `<line class="grid" x1="${x}" x2="${x}" y1="0" y2="${bottom + 4}"/><text class="quiet" x="${textX}" y="${bottom + 20}" text-anchor="middle">${label}</text>`;
  });
  return `<g aria-hidden="true">${ticks.join('')}</g>`;
}

function drawLane(buckets: Buckets, lane: Lane, top: number, highest: number): string {
  const { from, to, moved, failed } = lane;
  const base = top + NAME_HEIGHT + BARS_HEIGHT;
  const sum = (cells: Uint32Array): number => cells.reduce((total, count) => total + count, 0);
  const counts = `${sum(moved).toLocaleString('en-US')} moved${sum(failed) === 0 ? '' : `, ${sum(failed).toLocaleString('en-US')} failed`}`;
  const width = (RIGHT - LEFT) / buckets.count;
  const bars = [...moved.keys()].map((i) => bar(buckets, lane, i, { width, base, highest }));
  return [
    `<g role="img" aria-label="${escaped(`${from} to ${to}: ${counts}`)}">`,
    `<text class="name" x="${LEFT}" y="${top + 16}">${escaped(from)} → ${escaped(to)} <tspan class="quiet" font-weight="400" dx="8">${counts}</tspan></text>`,
    `<line class="base" x1="${LEFT}" x2="${RIGHT}" y1="${base}" y2="${base}"/>`,
    ...bars,
    '</g>',
  ].join('');
}

function bar(
  { range, count }: Buckets,
  { moved, failed }: Lane,
  i: number,
  { width, base, highest }: { readonly width: number; readonly base: number; readonly highest: number },
): string {
  const [good = 0, bad = 0] = [moved[i], failed[i]];
  if (good + bad === 0) return '';
  const heightOf = (moves: number): number =>
    moves === 0 ? 0 : Math.max(BAR_MIN, (moves / highest) * (BARS_HEIGHT - BAR_MIN));
  const x = round(LEFT + i * width);
  const cellMs = (range.toMs - range.fromMs) / count;
  const since = time(Math.round(range.fromMs + i * cellMs));
  const title = `${counted(good, 'move')}${bad === 0 ? '' : `, ${bad} failed`}, from ${since} on`;
  const rect = (name: string, y: number, height: number): string =>
    height === 0
      ? ''
      : `<rect class="${name}" x="${x}" y="${round(y)}" width="${round(width - 1)}" height="${round(height)}"/>`;
  const goodHeight = heightOf(good);
  return `<g><title>${escaped(title)}</title>${rect('moved', base - goodHeight, goodHeight)}${rect('failed', base - goodHeight - heightOf(bad), heightOf(bad))}</g>`;
}

function round(x: number): number {
  return Math.round(x * 10) / 10;
}
