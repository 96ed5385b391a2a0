// A timeline on a terminal: two small ones as they look, and what must hold for names that users
// made up.
import { expect, test } from 'vitest';
import { drawTimeline } from '../../client/timeline/terminal/draw.js';
import { columnsOf, printable, wrapped } from '../../client/text/printable.js';
import { createTimeline } from '../../client/timeline/timeline.js';
import { GROUP, historyOf, NOON_MS, VOLUME } from '../support/history.js';

const MINUTE_MS = 60_000;
const ago = (minutes: number): number => NOON_MS - minutes * MINUTE_MS;

const MOVED = createTimeline({
  owner: VOLUME,
  nowMs: NOON_MS,
  listed: historyOf({
    owners: [
      { group: 'cg-a', fromMs: ago(60), toMs: ago(30) },
      { group: 'cg-b', fromMs: ago(30) },
    ],
    points: [
      { id: 'p-1', atMs: ago(59) },
      { id: 'p-2', atMs: ago(45), bookmark: { name: 'before the upgrade', keep: 'forever' } },
      { id: 'p-3', atMs: ago(44.9) },
      { id: 'p-4', atMs: ago(5), group: 'cg-b' },
    ],
    holes: [{ sinceMs: ago(20), untilMs: ago(10) }],
  }),
});

test('a moved volume is two bars, with its points above them, its bookmark by letter and its hole crossed out', () => {
  expect(drawTimeline(MOVED, { columns: 60 })).toEqual([
    'Recovery points of volume vm-1: 4 points ·',
    '  2026-11-23T11:00:00.000Z to 2026-11-23T12:00:00.000Z',
    '',
    '                   A',
    '      ▁            ▂',
    'cg-a  ┣━━━━━━━━━━━━━━━━━━━━━━━━━━┫',
    '                                                       ▁',
    'cg-b                             ┣━━━━━━━━╳╳╳╳╳╳╳╳╳╳━━━━━━━▶',
    '      ┬────────┬────────┬────────┬────────┬────────┬───────┬',
    'UTC   11:00    11:10    11:20    11:30    11:40    11:50',
    '',
    '▁ 1 … ▂ 2 points in a column of 1.1 min · ┣━┫ in the group ·',
    '  ▶ still in it · ╳ hole · letters: bookmarks',
    'Hole: vm-1 from 2026-11-23T11:40:00.000Z to',
    '  2026-11-23T11:50:00.000Z, only the end state can be',
    '  recovered (backlog overflow)',
    '',
    'Bookmarks',
    '  A  before the upgrade',
    '     2026-11-23T11:15:00.000Z  p-2  cg-a  kept: for ever',
  ]);
});

test('without Unicode the same is drawn in ASCII', () => {
  const lines = drawTimeline(MOVED, { columns: 60, ascii: true });
  expect(lines.join('')).toMatch(/^[\x20-\x7E]+$/);
  expect(lines.slice(4, 8)).toEqual([
    '      .            :',
    'cg-a  [==========================]',
    '                                                       .',
    'cg-b                             [========XXXXXXXXXX=======>',
  ]);
});

test('colours are only there when asked for, and don’t change the picture', () => {
  const plain = drawTimeline(MOVED, { columns: 60 });
  const coloured = drawTimeline(MOVED, { columns: 60, colours: true });
  expect(plain.join('')).not.toContain('\u001B');
  expect(coloured.join('')).toContain('\u001B[1;31m╳╳');
  // oxlint-disable-next-line no-control-regex -- colours are control sequences
  expect(coloured.map((line) => line.replace(/\u001B\[[\d;]*m/g, ''))).toEqual(plain);
});

test('a group says which volume was left out of how many points, and why', () => {
  const listed = historyOf({
    owners: [{ group: 'cg-a', fromMs: ago(60) }],
    points: [
      { id: 'p-1', atMs: ago(50), volumes: [], leftOut: { 'vm-1': 'behind' } },
      { id: 'p-2', atMs: ago(40), volumes: [], leftOut: { 'vm-1': 'behind' } },
      { id: 'p-3', atMs: ago(30), volumes: [], leftOut: { 'vm-1': 'unreachable' } },
      { id: 'p-4', atMs: ago(20) },
    ],
  });
  const lines = drawTimeline(createTimeline({ owner: GROUP, nowMs: NOON_MS, listed }), { columns: 80 });
  expect(lines).toContain('Left out: vm-1 of 3 points (behind 2, unreachable 1)');
  expect(lines.find((line) => line.includes('○'))).toMatch(/^ +○ +○ +○ +▁$/);
});

test('bookmarks of one place are stacked, and past three the top says that there are several', () => {
  const points = Array.from({ length: 5 }, (_, index) => ({
    id: `p-${index}`,
    atMs: ago(30) + index,
    bookmark: { name: `b${index}` },
  }));
  const listed = historyOf({ owners: [{ group: 'cg-a', fromMs: ago(31) }], points });
  const lines = drawTimeline(createTimeline({ owner: VOLUME, nowMs: NOON_MS, listed }), { columns: 80 });
  expect(lines.slice(3, 6).map((line) => line.trim())).toEqual(['*', 'B', 'A']);
});

test('a name can’t give orders to the terminal', () => {
  const listed = historyOf({ points: [{ id: 'p-1', atMs: ago(1), bookmark: { name: '\u001B[2Jgone\n\u202Eevil' } }] });
  const lines = drawTimeline(createTimeline({ owner: VOLUME, nowMs: NOON_MS, listed }), { columns: 80 });
  expect(lines.join('\n')).toContain('\\u{1b}[2Jgone\\u{a}\\u{202e}evil');
  expect(lines.join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});

test('text is wrapped at spaces if it has any, by the columns that it takes', () => {
  expect(wrapped('one two three', 8, 2)).toEqual(['one two', '  three']);
  expect(wrapped('日本語日本語', 5, 1)).toEqual(['日本', ' 語日', ' 本語']);
  expect(columnsOf('e\u0301日')).toBe(3);
  expect(printable('café', true)).toBe('caf\\u{e9}');
});
