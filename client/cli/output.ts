// Where a command's answer goes: text for people, or with --json exactly one JSON object on
// standard output, also on failure.
import { ERRORS, MoverError, toProblem } from '../../contracts/errors.js';
import { LivePicture } from './live-picture.js';

/** The terminal, or what a test puts in its place. */
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

  /** The command's answer: `text` for people, `value` for programs. To be called once. */
  answer(value: Readonly<Record<string, unknown>>, text: () => string): void {
    this.#streams.stdout.write(this.json ? `${JSON.stringify(value)}\n` : `${text()}\n`);
  }

  /** A line on the way to the answer; programs don't see it. */
  progress(line: string): void {
    if (!this.json) this.#streams.stdout.write(`${line}\n`);
  }

  /** A line that replaces itself, on a terminal only. An empty one takes it away. */
  status(line: string): void {
    if (!this.json && this.#streams.stderr.isTTY === true) this.#streams.stderr.write(`\r\u001B[2K${line}`);
  }

  /** Lines that replace themselves; undefined where nobody would see them do so. */
  picture(): LivePicture | undefined {
    const { stdout, stderr } = this.#streams;
    const isSeen = !this.json && stdout.isTTY === true && stderr.isTTY === true;
    return isSeen ? new LivePicture(stderr) : undefined;
  }

  /** A part of an answer that is too large to be put together first. */
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

/** The sentence about this case, every reason on a line of its own, and what to do. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof MoverError)) return `volume-mover: ${error instanceof Error ? error.message : String(error)}`;
  const reasons = error.reasons.length > 1 ? error.reasons.map(({ code, message }) => `  - ${message} (${code})`) : [];
  return [`volume-mover: ${error.message} (${error.code})`, ...reasons, ...adviceOf(error)].join('\n');
}

/** Unless the sentence says it already, as it does when an input is wrong. */
function adviceOf({ code, message, reasons }: MoverError): string[] {
  const actions = [code, ...reasons.map((reason) => reason.code)].map((known) => ERRORS[known].action);
  return [...new Set(actions)]
    .filter((action) => action !== ERRORS.INVALID_REQUEST.action && !message.includes(action))
    .map((action) => `  What to do: ${action}`);
}
