// Lines on a terminal that are redrawn in place.
import { printable, shortened } from '../text/printable.js';

const COLUMNS_UNKNOWN = 80;
/** Columns and rows left free: a line in the last one wraps or scrolls on some terminals. */
const MARGIN = 1;

interface Terminal {
  write(text: string): unknown;
  readonly columns?: number;
  readonly rows?: number;
}

export class LivePicture {
  readonly #terminal: Terminal;
  #drawn = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Replaces what was drawn before. */
  draw(lines: readonly string[]): void {
    const columns = (this.#terminal.columns ?? COLUMNS_UNKNOWN) - MARGIN;
    const fitting = this.#shown(lines).map((line) => `${shortened(printable(line), columns, '…')}\n`);
    // One write for all: a terminal that shows a half-removed picture flickers.
    this.#terminal.write(`${this.#back()}${fitting.join('')}`);
    this.#drawn = fitting.length;
  }

  /** The lines for which the terminal has rows: what has scrolled away cannot be redrawn. */
  #shown(lines: readonly string[]): readonly string[] {
    const rows = (this.#terminal.rows ?? Number.POSITIVE_INFINITY) - MARGIN;
    if (lines.length <= rows) return lines;
    const shown = Math.max(0, rows - 1);
    return [...lines.slice(0, shown), `… and ${lines.length - shown} more`];
  }

  /** Removes the picture. */
  clear(): void {
    if (this.#drawn > 0) this.#terminal.write(this.#back());
    this.#drawn = 0;
  }

  #back(): string {
    return this.#drawn === 0 ? '' : `\u001B[${this.#drawn}A\u001B[0J`;
  }
}
