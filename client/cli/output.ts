// Writes a command's answer: text for people, or with --json exactly one JSON object on standard
// output, even on failure.
import { type ErrorCode, ERRORS, MoverError, type Reason, toProblem } from '../../contracts/errors.js';
import { LivePicture } from './live-picture.js';

/** The terminal, or a test's replacement. */
export interface Streams {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: {
    write(text: string): unknown;
    readonly isTTY?: boolean;
    readonly columns?: number;
    readonly rows?: number;
  };
}

export class Output {
  readonly json: boolean;
  readonly #streams: Streams;

  constructor(streams: Streams, json: boolean) {
    this.#streams = streams;
    this.json = json;
  }

  /** Writes the command's answer: `text` for people, `value` for programs. Call it once. */
  answer(value: Readonly<Record<string, unknown>>, text: (columns: number | undefined) => string): void {
    this.#streams.stdout.write(this.json ? `${JSON.stringify(value)}\n` : `${text(this.#columns())}\n`);
  }

  /** A line of progress, hidden from programs. It is no part of the answer: to standard error. */
  progress(line: string): void {
    if (!this.json) this.#streams.stderr.write(`${line}\n`);
  }

  /** Columns of the answer's terminal; undefined when it goes to a file or a program. */
  #columns(): number | undefined {
    const { isTTY, columns } = this.#streams.stdout;
    return isTTY === true ? columns : undefined;
  }

  /** A line that replaces itself, on a terminal only. An empty one removes it. */
  status(line: string): void {
    if (!this.json && this.#streams.stderr.isTTY === true) this.#streams.stderr.write(`\r\u001B[2K${line}`);
  }

  /** Lines that redraw in place; undefined when they would go to no terminal, or for programs. */
  picture(): LivePicture | undefined {
    const { stderr } = this.#streams;
    return !this.json && stderr.isTTY === true ? new LivePicture(stderr) : undefined;
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

/** A command at the end of a sentence. It fits the case better than the registry's advice. */
const WITH_COMMAND = /^(?<what>.+?[.;]) (?<advice>[^.;]+: volume-mover [a-z].*)$/s;

/** Describes a failure: the sentence about this case, one line per reason, and the advice. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof MoverError)) return `volume-mover: ${error instanceof Error ? error.message : String(error)}`;
  const { code, message, reasons } = error;
  const { what = message, advice } = WITH_COMMAND.exec(message)?.groups ?? {};
  const kinds = new Set(reasons.map((reason) => reason.code));
  const [kind = code] = kinds;
  return [
    `volume-mover: ${what} (${code})`,
    ...(reasons.length > 1 ? reasonLines(reasons, kinds.size > 1) : []),
    ...(advice === undefined
      ? commonAdvice(kinds, kind, message).map((text) => `  What to do: ${text}`)
      : [`  ${advice}`]),
  ].join('\n');
}

/**
 * The advice for the failure as a whole. Several kinds of reasons have several remedies, which
 * contradict each other unless each stands with its own reason.
 */
function commonAdvice(kinds: ReadonlySet<ErrorCode>, kind: ErrorCode, sentence: string): string[] {
  return kinds.size > 1 ? [] : adviceOf(kind, sentence);
}

function reasonLines(reasons: readonly Reason[], withAdvice: boolean): string[] {
  return reasons.flatMap(({ code, message }) => [
    `  - ${message} (${code})`,
    ...(withAdvice ? adviceOf(code, message).map((advice) => `    What to do: ${advice}`) : []),
  ]);
}

/** The advice, unless the sentence gives it already, as it does for a wrong input. */
function adviceOf(code: ErrorCode, sentence: string): string[] {
  const { action } = ERRORS[code];
  return code === 'INVALID_REQUEST' || sentence.includes(action) ? [] : [action];
}
