// Writes a command's answer: text for people, or with --json exactly one JSON object on standard
// output, even on failure.
import { ERRORS, MoverError, toProblem } from '../../contracts/errors.js';
import { LivePicture } from './live-picture.js';

/** The terminal, or a test's replacement. */
export interface Streams {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
}

export class Output {
  readonly json: boolean;
  readonly #streams: Streams;

  constructor(streams: Streams, json: boolean) {
    this.#streams = streams;
    this.json = json;
  }

  /** Writes the command's answer: `text` for people, `value` for programs. Call it once. */
  answer(value: Readonly<Record<string, unknown>>, text: () => string): void {
    this.#streams.stdout.write(this.json ? `${JSON.stringify(value)}\n` : `${text()}\n`);
  }

  /** A line of progress, hidden from programs. */
  progress(line: string): void {
    if (!this.json) this.#streams.stdout.write(`${line}\n`);
  }

  /** A line that replaces itself, on a terminal only. An empty one removes it. */
  status(line: string): void {
    if (!this.json && this.#streams.stderr.isTTY === true) this.#streams.stderr.write(`\r\u001B[2K${line}`);
  }

  /** Lines that redraw in place; undefined when the output is no terminal or is for programs. */
  picture(): LivePicture | undefined {
    const { stdout, stderr } = this.#streams;
    const isTerminal = !this.json && stdout.isTTY === true && stderr.isTTY === true;
    return isTerminal ? new LivePicture(stderr) : undefined;
  }

  /** A part of an answer too large to build at once. */
  part(text: string): void {
    this.#streams.stdout.write(text);
  }

  failure(error: unknown): void {
    this.status('');
    if (this.json) this.#streams.stdout.write(`${JSON.stringify({ error: problemOf(error) })}\n`);
    else this.#streams.stderr.write(`${describeFailure(error)}\n`);
  }
}

function problemOf(error: unknown): ReturnType<typeof toProblem> {
  if (error instanceof MoverError) return toProblem(error);
  return toProblem(new MoverError('INTERNAL', error instanceof Error ? error.message : String(error)));
}

/** Describes a failure: the sentence about this case, one line per reason, and the advice. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof MoverError)) return `volume-mover: ${error instanceof Error ? error.message : String(error)}`;
  const reasons = error.reasons.length > 1 ? error.reasons.map(({ code, message }) => `  - ${message} (${code})`) : [];
  return [`volume-mover: ${error.message} (${error.code})`, ...reasons, ...adviceOf(error)].join('\n');
}

/** The advice, unless the sentence contains it already, as it does for a wrong input. */
function adviceOf({ code, message, reasons }: MoverError): string[] {
  const actions = [code, ...reasons.map((reason) => reason.code)].map((known) => ERRORS[known].action);
  return [...new Set(actions)]
    .filter((action) => action !== ERRORS.INVALID_REQUEST.action && !message.includes(action))
    .map((action) => `  What to do: ${action}`);
}
