// A timeline as lines of text: an axis in UTC, a bar per lane with its points above, bookmarks by
// letter, holes crossed out.
import { ticksOf } from '../axis.js';
import { cellOf, type TimeRange } from '../range.js';
import { type Cell, cellsOf, levelOf } from '../thinning.js';
import type { Lane, MarkedPoint, Timeline } from '../timeline.js';
import { damagedText, holeText, ownerText, reasonCounts, spanBackText } from '../texts.js';
import { counted, time } from '../../text/format.js';
import { bookmarkLines } from './bookmarks.js';
import { ASCII, type Glyphs, UNICODE } from './glyphs.js';
import { padded, printable, shortened, wrapped } from '../../text/printable.js';
import { painted, Row } from './row.js';

export interface DrawOptions {
  /** Columns of the terminal. Fewer than 40 would be unreadable, so at least 40 are used. */
  readonly columns: number;
  /** Uses ASCII only. Default: false. */
  readonly ascii?: boolean;
  /** Uses the terminal's own colours. Default: false. */
  readonly colours?: boolean;
}

const COLUMNS_MIN = 40;
/** Largest share of the width for lane names. */
const LABEL_SHARE_MAX = 1 / 3;
/** Bookmarks stacked at one place. Beyond that the topmost shows that there are several. */
const STACK_MAX = 3;
const SEVERAL = '*';
const TICK_GAP = 2;
/** Damaged members listed. */
const DAMAGED_SHOWN_MAX = 8;

interface Canvas {
  readonly timeline: Timeline;
  readonly glyphs: Glyphs;
  readonly columns: number;
  readonly labelColumns: number;
  readonly cells: number;
  readonly ascii: boolean;
  readonly colours: boolean;
  /** Points in the fullest cell of all lanes. */
  readonly countMax: number;
}

interface DrawnLane {
  readonly lane: Lane;
  readonly cells: readonly Cell[];
}

/** The lines without line ends, none wider than the terminal. */
export function drawTimeline(timeline: Timeline, options: DrawOptions): string[] {
  const columns = Math.max(COLUMNS_MIN, Math.floor(options.columns));
  const { ascii = false, colours = false } = options;
  const glyphs = ascii ? ASCII : UNICODE;
  const longest = Math.max(0, ...timeline.lanes.map(({ name }) => name.length));
  const labelColumns = Math.min(longest, Math.floor(columns * LABEL_SHARE_MAX));
  const cells = columns - labelColumns - TICK_GAP;
  const lanes = timeline.lanes.map((lane) => ({ lane, cells: cellsOf(lane, timeline.range, cells) }));
  const countMax = Math.max(1, ...lanes.flatMap((drawn) => drawn.cells.map(({ points }) => points.length)));
  const canvas: Canvas = { timeline, glyphs, columns, labelColumns, cells, ascii, colours, countMax };
  const common = 'group' in timeline.owner ? stackLines(canvas, timeline.bookmarks) : [];
  return [
    ...headLines(canvas),
    '',
    ...common,
    ...lanes.flatMap((drawn) => laneLines(canvas, drawn)),
    ...axisLines(canvas),
    '',
    ...legendLines(canvas, lanes),
    ...leftOutLines(canvas),
    ...timeline.holes.flatMap((hole) => warning(canvas, holeText(hole), 'hole')),
    ...timeline.reversible.flatMap((span) =>
      wrapped(`Way back: ${span.volume} in ${span.group}, ${spanBackText(span) ?? ''}`, columns, 2),
    ),
    ...damagedLines(timeline.damaged, canvas),
    ...bookmarkLines(timeline.bookmarks, canvas),
  ];
}

function headLines({ timeline, glyphs, columns }: Canvas): string[] {
  const { owner, range, points, pointsBefore, pointsAfter } = timeline;
  const elsewhere = [
    ...(pointsBefore === 0 ? [] : [`${counted(pointsBefore, 'point')} before`]),
    ...(pointsAfter === 0 ? [] : [`${counted(pointsAfter, 'point')} after`]),
  ];
  const parts = [
    `Recovery points of ${ownerText(owner)}: ${counted(points.length, 'point')}`,
    `${time(range.fromMs)} to ${time(range.toMs)}`,
    ...elsewhere,
  ];
  return wrapped(parts.join(glyphs.separator), columns, 2);
}

function laneLines(canvas: Canvas, { lane, cells }: DrawnLane): string[] {
  const { timeline, glyphs, labelColumns, colours } = canvas;
  const marks = timeline.bookmarks.filter(({ point }) => point.group === lane.name);
  const name = shortened(printable(lane.name, canvas.ascii), labelColumns, glyphs.ellipsis);
  return [
    ...('volume' in timeline.owner ? stackLines(canvas, marks) : []),
    labelled(canvas, '', pointRow(canvas, cells).toString(colours)),
    labelled(canvas, name, barRow(canvas, lane).toString(colours)),
  ];
}

function pointRow({ glyphs, cells: length, countMax }: Canvas, cells: readonly Cell[]): Row {
  const row = new Row(length);
  for (const { index, points } of cells) {
    const level = levelOf(points.length, countMax, glyphs.levels.length);
    if (points.length === 0) row.put(index, glyphs.leftOut, 'leftOut');
    else row.put(index, glyphs.levels[level - 1] ?? '', 'point');
  }
  return row;
}

function barRow({ timeline: { range }, glyphs, cells }: Canvas, { spans, holes }: Lane): Row {
  const row = new Row(cells);
  for (const { fromMs, toMs } of spans) {
    if (fromMs > range.toMs || (toMs ?? range.toMs) < range.fromMs) continue;
    const [first, last] = cellsOfSpan(range, cells, fromMs, toMs);
    row.fill(first, last, glyphs.owned, 'owned');
    if (toMs === undefined) row.put(last, glyphs.goesOn, 'owned');
    else if (toMs <= range.toMs) row.put(last, glyphs.ends, 'owned');
    if (fromMs >= range.fromMs) row.put(first, glyphs.begins, 'owned');
  }
  for (const { fromMs, toMs } of holes) {
    if (fromMs > range.toMs || (toMs ?? range.toMs) < range.fromMs) continue;
    row.fill(...cellsOfSpan(range, cells, fromMs, toMs), glyphs.hole, 'hole');
  }
  return row;
}

function cellsOfSpan(
  range: TimeRange,
  cells: number,
  fromMs: number,
  toMs = range.toMs,
): [first: number, last: number] {
  return [cellOf(range, cells, fromMs), cellOf(range, cells, toMs)];
}

/** Bookmarks above a bar, the first of each place lowest. */
function stackLines(canvas: Canvas, marked: readonly MarkedPoint[]): string[] {
  const { cells, colours, timeline } = canvas;
  const rows: Row[] = [];
  for (const { mark, point } of marked) {
    const index = cellOf(timeline.range, cells, point.atMs);
    const free = rows.find((row) => row.isFree(index, index));
    const letter = mark.length === 1 ? mark : SEVERAL;
    if (free !== undefined) free.put(index, letter, 'bookmark');
    else if (rows.length === STACK_MAX) rows.at(-1)?.put(index, SEVERAL, 'bookmark');
    else {
      const row = new Row(cells);
      row.put(index, letter, 'bookmark');
      rows.push(row);
    }
  }
  return rows.reverse().map((row) => labelled(canvas, '', row.toString(colours)));
}

function axisLines(canvas: Canvas): string[] {
  const { timeline, glyphs, cells, colours } = canvas;
  const line = new Row(cells);
  const labels = new Row(cells);
  line.fill(0, cells - 1, glyphs.axis, 'quiet');
  for (const { atMs, label } of ticksOf(timeline.range, (count, length) => count * (length + TICK_GAP) <= cells)) {
    const index = cellOf(timeline.range, cells, atMs);
    line.put(index, glyphs.tick, 'quiet');
    const start = Math.min(index, cells - label.length);
    if (start >= 0 && labels.isFree(start - 1, start + label.length)) labels.put(start, label, 'quiet');
  }
  const utc = shortened('UTC', canvas.labelColumns, glyphs.ellipsis);
  return [labelled(canvas, '', line.toString(colours)), labelled(canvas, utc, labels.toString(colours))];
}

function labelled({ labelColumns }: Canvas, label: string, drawn: string): string {
  return `${padded(label, labelColumns + TICK_GAP)}${drawn}`.trimEnd();
}

/** The legend, only with symbols that the picture has. */
function legendLines({ timeline, glyphs, columns, cells, countMax }: Canvas, lanes: readonly DrawnLane[]): string[] {
  const { fromMs, toMs } = timeline.range;
  const { levels } = glyphs;
  const top = levels[levelOf(countMax, countMax, levels.length) - 1] ?? '';
  const has = (test: (drawn: DrawnLane) => boolean): boolean => lanes.some((drawn) => test(drawn));
  const scale = countMax === 1 ? `${top} 1 point` : `${levels[0] ?? ''} 1${glyphs.upTo}${top} ${countMax} points`;
  const parts = [
    ...(timeline.points.length === 0 ? [] : [`${scale} in a column of ${roughly((toMs - fromMs) / cells)}`]),
    ...(has(({ lane }) => lane.leftOut.length > 0) ? [`${glyphs.leftOut} only points that leave it out`] : []),
    ...(has(({ lane }) => lane.spans.length > 0)
      ? [`${glyphs.begins}${glyphs.owned}${glyphs.ends} in the group`, `${glyphs.goesOn} still in it`]
      : []),
    ...(has(({ lane }) => lane.holes.length > 0) ? [`${glyphs.hole} hole`] : []),
    ...(timeline.bookmarks.length === 0 ? [] : ['letters: bookmarks']),
  ];
  // Keeps a symbol and its meaning on one line.
  const tied = parts.map((part) => part.replaceAll(' ', '\u00A0'));
  return wrapped(tied.join(glyphs.separator), columns, 2).map((line) => line.replaceAll('\u00A0', ' '));
}

const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
  [1, 'ms'],
];

/** A rounded duration. @example "1.5 min" */
function roughly(ms: number): string {
  const [unitMs, name] = UNITS.find(([unitMs]) => ms >= unitMs) ?? [1, 'ms'];
  return `${Number((ms / unitMs).toPrecision(2))} ${name}`;
}

function leftOutLines(canvas: Canvas): string[] {
  return canvas.timeline.lanes
    .filter(({ leftOut }) => leftOut.length > 0)
    .flatMap(({ name, leftOut }) => {
      const why = reasonCounts(leftOut.map(({ reason }) => reason));
      return warning(canvas, `Left out: ${name} of ${counted(leftOut.length, 'point')} (${why})`, 'leftOut');
    });
}

/** The first damaged members in words; the list has all. */
function damagedLines(damaged: Timeline['damaged'], canvas: Canvas): string[] {
  const shown = damaged.slice(-DAMAGED_SHOWN_MAX);
  const more = damaged.length - shown.length;
  return [
    ...shown.flatMap((member) => warning(canvas, damagedText(member), 'hole')),
    ...(more === 0 ? [] : warning(canvas, `Damaged: ${counted(more, 'more member')} of older points`, 'hole')),
  ];
}

function warning({ columns, ascii, colours }: Canvas, text: string, colour: 'hole' | 'leftOut'): string[] {
  return wrapped(printable(text, ascii), columns, 2).map((line) => painted(line, colour, colours));
}
