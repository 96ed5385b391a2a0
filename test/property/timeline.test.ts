// Timelines of any history: nothing is lost or counted twice by thinning, and no line is wider than
// the terminal.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { timelinePage } from '../../client/timeline/html/page.js';
import { drawTimeline } from '../../client/timeline/terminal/draw.js';
import { columnsOf } from '../../client/text/printable.js';
import { cellsOf } from '../../client/timeline/thinning.js';
import { createTimeline, type TimelineInput } from '../../client/timeline/timeline.js';
import {
  GROUP,
  historyOf,
  type HoleWords,
  NOON_MS,
  type OwnedWords,
  type PointWords,
  VOLUME,
} from '../support/history.js';

const SPAN_MS = 40 * 24 * 3_600_000;
const timeMs = fc.oneof(
  fc.integer({ min: NOON_MS - SPAN_MS, max: NOON_MS }),
  fc.integer({ min: NOON_MS - 5, max: NOON_MS + 5 }),
);
const volume = fc.constantFrom('vm-1', 'vm-2', 'vm-3-of-a-machine-with-a-name-as-long-as-a-name-may-be');
const group = fc.constantFrom('cg-a', 'cg-b', 'cg-c');
const bookmark = fc.record({
  name: fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' }),
  pending: fc.boolean(),
});

const points = fc
  .array(
    fc.record({
      atMs: timeMs,
      group,
      volumes: fc.uniqueArray(volume),
      out: fc.option(volume),
      bookmark: fc.option(bookmark),
    }),
    { maxLength: 60 },
  )
  .map((drawn) =>
    drawn.map(({ atMs, group, volumes, out, bookmark }, index): PointWords => ({
      id: `p-${index}`,
      atMs,
      group,
      volumes,
      ...(out === null || volumes.includes(out) ? {} : { leftOut: { [out]: 'behind' } as const }),
      ...(bookmark === null ? {} : { bookmark }),
    })),
  );
const span = fc
  .tuple(timeMs, fc.option(timeMs))
  .map(([a, b]): { fromMs: number; toMs?: number } =>
    b === null ? { fromMs: a } : { fromMs: Math.min(a, b), toMs: Math.max(a, b) },
  );
const owners = fc
  .array(fc.record({ volume, group, span }), { maxLength: 8 })
  .map((drawn) => drawn.map(({ span, ...rest }): OwnedWords => ({ ...rest, ...span })));
const holes = fc
  .array(fc.record({ volume, span }), { maxLength: 5 })
  .map((drawn) =>
    drawn.map(({ volume, span: { fromMs, toMs } }): HoleWords =>
      toMs === undefined ? { volume, sinceMs: fromMs } : { volume, sinceMs: fromMs, untilMs: toMs },
    ),
  );
const input = fc
  .record({ owner: fc.constantFrom(VOLUME, GROUP), points, owners, holes, cut: fc.option(fc.tuple(timeMs, timeMs)) })
  .map(({ owner, cut, ...history }): TimelineInput => ({
    owner,
    listed: historyOf(history),
    nowMs: NOON_MS,
    ...(cut === null ? {} : { sinceMs: Math.min(...cut), untilMs: Math.max(...cut) }),
  }));

test('every point is in exactly one cell of each of its lanes, and in the cell of its time', () => {
  fc.assert(
    fc.property(input, fc.integer({ min: 1, max: 300 }), (given, count) => {
      const timeline = createTimeline(given);
      for (const lane of timeline.lanes) {
        const cells = cellsOf(lane, timeline.range, count);
        expect(cells.flatMap((cell) => cell.points)).toEqual(lane.points);
        expect(cells.flatMap((cell) => cell.leftOut)).toEqual(lane.leftOut);
        expect(cells.every(({ index }, i) => index >= 0 && index < count && index > (cells[i - 1]?.index ?? -1))).toBe(
          true,
        );
      }
      const inLanes = timeline.lanes.reduce((sum, lane) => sum + lane.points.length, 0);
      const ofVolume = 'volume' in given.owner;
      expect(inLanes).toBe(timeline.points.reduce((sum, { members }) => sum + (ofVolume ? 1 : members.length), 0));
      expect(timeline.points.length + timeline.pointsBefore + timeline.pointsAfter).toBe(given.listed.points.length);
    }),
  );
});

test('no line is wider than the terminal, with Unicode and without', () => {
  fc.assert(
    fc.property(input, fc.integer({ min: 40, max: 200 }), fc.boolean(), (given, columns, ascii) => {
      const lines = drawTimeline(createTimeline(given), { columns, ascii });
      for (const line of lines) expect(columnsOf(line), line).toBeLessThanOrEqual(columns);
      if (ascii) expect(lines.join('')).toMatch(/^[\x20-\x7E]*$/);
    }),
  );
});

test('whatever a bookmark is called, it adds no element to the page', () => {
  const tagsOf = (page: string): number => page.match(/<[a-z!/]/gi)?.length ?? 0;
  const pageOf = (name: string): string => {
    const listed = historyOf({ points: [{ id: 'p-1', atMs: NOON_MS - 1, bookmark: { name } }] });
    return timelinePage({ owner: VOLUME, listed, nowMs: NOON_MS, range: { fromMs: NOON_MS - 1_000, toMs: NOON_MS } });
  };
  const nasty = fc
    .array(fc.constantFrom('<b>', '</script>', '<!--', '"', "'", '&', '`', '\u2028', 'x='), { minLength: 1 })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(nasty, (name) => {
      expect(tagsOf(pageOf(name))).toBe(tagsOf(pageOf('plain')));
    }),
  );
});
