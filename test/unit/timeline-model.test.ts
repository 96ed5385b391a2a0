// The picture of a history: lanes, spans, range and bookmarks, in the cases that are easily wrong.
import { expect, test } from 'vitest';
import { ticksOf } from '../../client/timeline/axis.js';
import { cellsOf, levelOf } from '../../client/timeline/thinning.js';
import { createTimeline, RANGE_MS_MIN, type Timeline, type TimelineInput } from '../../client/timeline/timeline.js';
import { GROUP, historyOf, NOON_MS, VOLUME } from '../support/history.js';

const HOUR_MS = 3_600_000;
const ago = (hours: number): number => NOON_MS - hours * HOUR_MS;

function timelineOf(listed: TimelineInput['listed'], more: Partial<TimelineInput> = {}): Timeline {
  return createTimeline({ owner: VOLUME, listed, nowMs: NOON_MS, ...more });
}

const THERE_AND_BACK = historyOf({
  owners: [
    { group: 'cg-a', fromMs: ago(10), toMs: ago(7) },
    { group: 'cg-b', fromMs: ago(7), toMs: ago(5) },
    { group: 'cg-c', fromMs: ago(5), toMs: ago(2) },
    { group: 'cg-a', fromMs: ago(2) },
  ],
  points: [
    { id: 'p-1', atMs: ago(9.5), group: 'cg-a' },
    { id: 'p-2', atMs: ago(6), group: 'cg-b' },
    { id: 'p-3', atMs: ago(4), group: 'cg-c' },
    { id: 'p-4', atMs: ago(1), group: 'cg-a' },
  ],
});

test('a volume that comes back to its first group is in that group’s lane again', () => {
  const { lanes } = timelineOf(THERE_AND_BACK);
  expect(lanes.map(({ name }) => name)).toEqual(['cg-a', 'cg-b', 'cg-c']);
  expect(lanes[0]?.spans.map(({ epoch }) => epoch)).toEqual([1, 4]);
  expect(lanes.map(({ points }) => points.map(({ id }) => id))).toEqual([['p-1', 'p-4'], ['p-2'], ['p-3']]);
});

test('a shorter range keeps only the lanes that have something in it, and counts the points outside', () => {
  const timeline = timelineOf(THERE_AND_BACK, { sinceMs: ago(6.5), untilMs: ago(5.5) });
  expect(timeline.lanes.map(({ name }) => name)).toEqual(['cg-b']);
  expect(timeline).toMatchObject({ pointsBefore: 1, pointsAfter: 2 });
});

test('the range begins at the oldest point, or with the first owner if that is shortly before it', () => {
  expect(timelineOf(THERE_AND_BACK).range).toEqual({ fromMs: ago(10), toMs: NOON_MS });
  const long = historyOf({
    owners: [{ group: 'cg-a', fromMs: ago(1_000) }],
    points: [{ id: 'p-1', atMs: ago(2) }],
  });
  expect(timelineOf(long).range.fromMs).toBe(ago(2));
});

test('points before the first known ownership are in the lane of their group', () => {
  const early = historyOf({
    owners: [{ group: 'cg-a', fromMs: ago(1) }],
    points: [
      { id: 'p-1', atMs: ago(3) },
      { id: 'p-2', atMs: ago(2), group: 'cg-old' },
    ],
  });
  const timeline = timelineOf(early);
  expect(timeline.range.fromMs).toBe(ago(3));
  expect(timeline.lanes.map(({ name, points }) => [name, points.length])).toEqual([
    ['cg-a', 1],
    ['cg-old', 1],
  ]);
});

test('nothing at all, one owner without points, and one point alone each have a range to be drawn in', () => {
  expect(timelineOf(historyOf({}))).toMatchObject({ lanes: [], range: { fromMs: NOON_MS - RANGE_MS_MIN } });
  expect(timelineOf(historyOf({ owners: [{ group: 'cg-a', fromMs: ago(1) }] })).range.fromMs).toBe(ago(1));
  const one = timelineOf(historyOf({ points: [{ id: 'p-1', atMs: NOON_MS }] }));
  expect(one.range.toMs - one.range.fromMs).toBe(RANGE_MS_MIN);
  expect(one.lanes[0]?.points).toHaveLength(1);
});

test('a range that ends before it begins is refused, naming the field', () => {
  const refused = (): Timeline => timelineOf(THERE_AND_BACK, { sinceMs: ago(1), untilMs: ago(2) });
  expect(refused).toThrow(
    expect.objectContaining({ code: 'INVALID_REQUEST', reasons: [expect.objectContaining({ subject: 'since' })] }),
  );
});

test('a hole is in the lane of the group that owned the volume then, and not in the next one’s', () => {
  const listed = {
    ...THERE_AND_BACK,
    holes: historyOf({ holes: [{ sinceMs: ago(6.5), untilMs: ago(5) }, { sinceMs: ago(1) }] }).holes,
  };
  const { lanes } = timelineOf(listed);
  expect(lanes.map(({ holes }) => holes.map(({ fromMs, toMs }) => [fromMs, toMs]))).toEqual([
    [[ago(1), undefined]],
    [[ago(6.5), ago(5)]],
    [],
  ]);
});

test('a group has a lane for each volume it ever had, with the points that leave it out and why', () => {
  const listed = historyOf({
    owners: [
      { group: 'cg-a', volume: 'vm-2', fromMs: ago(4) },
      { group: 'cg-a', volume: 'vm-1', fromMs: ago(5), toMs: ago(2) },
    ],
    points: [
      { id: 'p-1', atMs: ago(3), volumes: ['vm-1', 'vm-2'] },
      { id: 'p-2', atMs: ago(2.5), volumes: ['vm-2'], leftOut: { 'vm-1': 'behind' } },
    ],
    holes: [{ volume: 'vm-2', sinceMs: ago(2.9), untilMs: ago(2.8) }],
  });
  const { lanes } = timelineOf(listed, { owner: GROUP });
  expect(lanes.map(({ name, points, leftOut, holes }) => [name, points.length, leftOut.length, holes.length])).toEqual([
    ['vm-1', 1, 1, 0],
    ['vm-2', 2, 0, 1],
  ]);
  expect(lanes[0]?.leftOut[0]?.reason).toBe('behind');
});

test('bookmarks are lettered oldest first, past Z with two letters', () => {
  const points = Array.from({ length: 28 }, (_, index) => ({
    id: `p-${index}`,
    atMs: ago(28 - index),
    bookmark: { name: `b${index}` },
  }));
  const { bookmarks } = timelineOf(historyOf({ points: points.reverse() }));
  expect(bookmarks.map(({ mark }) => mark).filter((mark) => ['A', 'Z', 'AA', 'AB'].includes(mark))).toEqual([
    'A',
    'Z',
    'AA',
    'AB',
  ]);
  expect(bookmarks[27]).toMatchObject({ mark: 'AB', bookmark: { name: 'b27' } });
});

test('twenty-five thousand points are thinned to the columns without losing one', () => {
  const points = Array.from({ length: 25_000 }, (_, index) => ({ id: `p-${index}`, atMs: ago(24) + index * 3_000 }));
  const timeline = timelineOf(historyOf({ points }));
  const cells = timeline.lanes.flatMap((lane) => cellsOf(lane, timeline.range, 60));
  expect(cells.length).toBeLessThanOrEqual(60);
  expect(cells.reduce((sum, cell) => sum + cell.points.length, 0)).toBe(25_000);
});

test('levels count one by one while they can, then by the logarithm up to the fullest column', () => {
  expect([1, 2, 8].map((count) => levelOf(count, 8, 8))).toEqual([1, 2, 8]);
  expect([1, 30, 900].map((count) => levelOf(count, 900, 8))).toEqual([1, 5, 8]);
});

test.each([
  ['hours', ago(12), NOON_MS, ['00:00', '06:00', '12:00'], '11-23'],
  ['seconds', NOON_MS - 30_000, NOON_MS, ['11:59:30', '11:59:45', '12:00:00'], undefined],
  ['weeks from Monday', ago(24 * 15), NOON_MS, ['11-09', '11-16', '11-23'], undefined],
  ['months', Date.UTC(2026, 5, 10), NOON_MS, ['2026-07', '2026-09', '2026-11'], undefined],
])('marks of an axis are at round times: %s', (_, fromMs, toMs, labels, midnight) => {
  const ticks = ticksOf({ fromMs, toMs }, (count) => count <= 3);
  expect(ticks.map(({ label }) => (label === midnight ? '00:00' : label))).toEqual(labels);
});
