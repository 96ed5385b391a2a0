// A line of cells, each one coloured character wide.

export type Colour = 'owned' | 'point' | 'leftOut' | 'hole' | 'bookmark' | 'quiet' | 'plain';

/** SGR parameters. The terminal's own sixteen colours suit its background. */
const SGR: Readonly<Record<Colour, string>> = {
  owned: '36',
  point: '32',
  leftOut: '33',
  hole: '1;31',
  bookmark: '1;35',
  quiet: '2',
  plain: '',
};

export function painted(text: string, colour: Colour, colours: boolean): string {
  return colours && SGR[colour] !== '' && text !== '' ? `\u001B[${SGR[colour]}m${text}\u001B[0m` : text;
}

export class Row {
  readonly #cells: { text: string; colour: Colour }[];

  constructor(length: number) {
    this.#cells = Array.from({ length }, () => ({ text: ' ', colour: 'plain' }));
  }

  /** Writes text; parts beyond either end are dropped. */
  put(index: number, text: string, colour: Colour): void {
    Array.from(text).forEach((character, offset) => {
      if (this.#cells[index + offset] !== undefined) this.#cells[index + offset] = { text: character, colour };
    });
  }

  fill(from: number, to: number, character: string, colour: Colour): void {
    for (let index = from; index <= to; index += 1) this.put(index, character, colour);
  }

  isFree(from: number, to: number): boolean {
    return this.#cells.slice(Math.max(0, from), to + 1).every(({ text }) => text === ' ');
  }

  /** The line without trailing spaces. */
  toString(colours: boolean): string {
    const end = this.#cells.findLastIndex(({ text }) => text !== ' ');
    const runs: { text: string; colour: Colour }[] = [];
    for (const { text, colour } of this.#cells.slice(0, end + 1)) {
      const run = runs.at(-1);
      if (run?.colour === colour) run.text += text;
      else runs.push({ text, colour });
    }
    return runs.map(({ text, colour }) => painted(text, colour, colours)).join('');
  }
}
