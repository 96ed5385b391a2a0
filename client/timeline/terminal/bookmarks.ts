// Explains a timeline's bookmarks by letter: one line each, or two if there is no room.
import type { MarkedPoint } from '../timeline.js';
import { bookmarkText, bookmarkKeepText } from '../texts.js';
import { counted, time } from '../../text/format.js';
import { columnsOf, padded, printable, wrapped } from '../../text/printable.js';
import { painted } from './row.js';

/** Bookmarks explained, the newest. More would push the picture off the screen. */
const BOOKMARKS_EXPLAINED_MAX = 40;

interface Place {
  readonly columns: number;
  readonly ascii: boolean;
  readonly colours: boolean;
}

export function bookmarkLines(marked: readonly MarkedPoint[], { columns, ascii, colours }: Place): string[] {
  if (marked.length === 0) return [];
  const explained = marked.slice(-BOOKMARKS_EXPLAINED_MAX);
  const hidden = marked.length - explained.length;
  const rows = explained.map(({ mark, point, bookmark }) => ({
    mark,
    name: printable(bookmarkText(bookmark), ascii),
    details: `${time(point.atMs)}  ${point.id}  ${point.group}  kept: ${bookmarkKeepText(bookmark)}`,
  }));
  const markColumns = Math.max(...rows.map(({ mark }) => mark.length)) + 4;
  const nameColumns = Math.max(...rows.map(({ name }) => columnsOf(name))) + 2;
  const isOneLine = rows.every(({ details }) => markColumns + nameColumns + columnsOf(details) <= columns);
  const indented = (text: string): string[] =>
    wrapped(text, columns - markColumns, 2).map((line) => `${' '.repeat(markColumns)}${line}`);
  const lines = rows.flatMap(({ mark, name, details }) => {
    const head = padded(`  ${mark}`, markColumns);
    if (isOneLine) return [{ head, rest: [`${padded(name, nameColumns)}${details}`] }];
    const [first = '', ...more] = indented(name);
    return [{ head, rest: [first.trimStart(), ...more, ...indented(details)] }];
  });
  return [
    '',
    'Bookmarks',
    ...(hidden === 0 ? [] : wrapped(`  ${counted(hidden, 'older bookmark')}: see them with --list`, columns, 2)),
    ...lines.flatMap(({ head, rest: [first = '', ...more] }) => [
      `${painted(head, 'bookmark', colours)}${first}`,
      ...more,
    ]),
  ];
}
