// Users' text on a terminal. Names may contain anything, even escape sequences and characters two
// columns wide.

/**
 * Control and format characters, bidirectional overrides included. They can rewrite or hide parts
 * of a line.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;
const BEYOND_ASCII = /[^\x20-\x7E]/gu;
const COMBINING = /^[\p{Mn}\p{Me}]$/u;
const WIDE =
  /^[\p{Emoji_Presentation}\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303E\uFF01-\uFF60\uFFE0-\uFFE6]$/u;

/**
 * Replaces characters that a terminal would obey, or in ASCII mode could not show, by their
 * numbers.
 * @example "caf\u{e9}"
 */
export function printable(text: string, ascii = false): string {
  const named = (character: string): string => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`;
  const safe = text.replace(UNPRINTABLE, named);
  return ascii ? safe.replace(BEYOND_ASCII, named) : safe;
}

/** Columns that a text takes on a terminal. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) columns += COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return columns;
}

/** Pads a text with spaces to a number of columns. */
export function padded(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - columnsOf(text)));
}

/** Shortens a text in the middle: the ends tell disks of one machine apart. */
export function shortened(text: string, columns: number, ellipsis: string): string {
  if (columnsOf(text) <= columns) return text;
  const room = columns - columnsOf(ellipsis);
  const head = Math.ceil(room / 2);
  const characters = Array.from(text);
  return `${headOf(characters, head)}${ellipsis}${headOf(characters.reverse(), room - head, true)}`;
}

function headOf(characters: readonly string[], columns: number, reversed = false): string {
  const kept: string[] = [];
  let used = 0;
  for (const character of characters) {
    used += columnsOf(character);
    if (used > columns) break;
    kept.push(character);
  }
  return (reversed ? kept.reverse() : kept).join('');
}

/** Wraps a text at spaces where possible, and indents all lines but the first. */
export function wrapped(text: string, columns: number, indent = 0): string[] {
  const lines: string[] = [];
  let line = '';
  const room = (): number => columns - (lines.length === 0 ? 0 : indent);
  const flush = (): void => {
    if (line.trim() !== '') lines.push(`${lines.length === 0 ? '' : ' '.repeat(indent)}${line.trimEnd()}`);
    line = '';
  };
  for (const word of text.split(/(?<= )/u)) {
    if (columnsOf(line) + columnsOf(word.trimEnd()) > room()) flush();
    for (const character of word) {
      if (columnsOf(line) + columnsOf(character) > room() && character !== ' ') flush();
      line += character;
    }
  }
  flush();
  return lines;
}
