// Reads JSON that people write: takes a byte order mark, and refuses a key that stands twice, of
// which JSON.parse silently keeps the last.

/** One object names a key twice. */
export class DuplicateKeyError extends SyntaxError {
  constructor(key: string, firstLine: number, line: number) {
    const where = firstLine === line ? `twice on line ${line}` : `on line ${firstLine} and again on line ${line}`;
    super(`the key ${JSON.stringify(key)} stands ${where}`);
    this.name = 'DuplicateKeyError';
  }
}

const BYTE_ORDER_MARK = '\uFEFF';

/** Editors of some systems put one at the start of a text file. */
export function withoutByteOrderMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(BYTE_ORDER_MARK.length) : text;
}

/** Parses a text. @throws SyntaxError if it is not JSON; DuplicateKeyError naming key and lines */
export function parseJson(text: string): unknown {
  const json = withoutByteOrderMark(text);
  const value: unknown = JSON.parse(json);
  refuseDuplicateKeys(json);
  return value;
}

/** A string, an end of line, or a sign that opens, closes or names something. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[\n:{}[\]]/g;

interface Word {
  readonly text: string;
  readonly line: number;
}

/** @param json a text that JSON.parse accepts */
function refuseDuplicateKeys(json: string): void {
  let line = 1;
  let last: Word = { text: '""', line };
  /** The open objects, each with its keys and their lines; null for an open list. */
  const open: (Map<string, number> | null)[] = [];
  for (const [token] of json.matchAll(TOKEN)) {
    if (token === '\n') line += 1;
    else if (token === '{') open.push(new Map());
    else if (token === '[') open.push(null);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') note(open.at(-1), last);
    else last = { text: token, line };
  }
}

function note(keys: Map<string, number> | null | undefined, { text, line }: Word): void {
  const key = String(JSON.parse(text));
  const firstLine = keys?.get(key);
  if (firstLine !== undefined) throw new DuplicateKeyError(key, firstLine, line);
  keys?.set(key, line);
}
