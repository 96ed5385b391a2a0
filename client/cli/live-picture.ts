// Lines on a terminal that are redrawn in place.
import { printable, shortened } from '../text/printable.js';

const COLUMNS_UNKNOWN = 80;
/** Columns left free: a line that fills the last column wraps on some terminals. */
const MARGIN = 1;

interface Terminal {
  write(text: string): unknown;
  readonly columns?: number;
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
    const fitting = lines.map((line) => `${shortened(printable(line), columns, '…')}\n`);
    // One write for all: a terminal that shows a half-removed picture flickers.
    this.#terminal.write(`${this.#back()}${fitting.join('')}`);
    this.#drawn = lines.length;
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
