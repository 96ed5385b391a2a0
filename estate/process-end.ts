// How a process of the estate ended and the reason it gave: the last fatal line of its log,
// otherwise the last lines.

export interface ProcessEnd {
  /** The predicate of the sentence "The worker …", e.g. "ended with exit code 1". */
  readonly how: string;
  /** The process's own reason, if it gave one. */
  readonly reason: string | undefined;
  /** Whether the process refused its configuration: starting it again can't help. */
  readonly isRefusal: boolean;
  /** The last log lines of this life. */
  readonly lastLines: readonly string[];
}

/** pino's level of an error that ends the process. */
const FATAL_LEVEL = 60;
/**
 * The error code with which every process refuses its environment, its estate file or an address
 * that it can't use.
 */
const REFUSAL_CODE = 'INVALID_REQUEST';

/** Finds a process's reason in its log. @param lines the last log lines of this life */
export function processEnd(how: string, lines: readonly string[]): ProcessEnd {
  const fatal = lines.map(fatalOf).findLast((found) => found !== undefined);
  return { how, reason: fatal?.reason, isRefusal: fatal?.code === REFUSAL_CODE, lastLines: lines };
}

/** The end of a process that couldn't be started. */
export function unstarted(error: unknown): ProcessEnd {
  const reason = error instanceof Error ? error.message : String(error);
  return { how: 'could not be started', reason, isRefusal: false, lastLines: [] };
}

/** The exit in words. @param signal used instead of the exit code when present */
export function describeExit(exitCode: number | null, signal: NodeJS.Signals | null): string {
  return `ended with ${signal ?? `exit code ${exitCode}`}`;
}

function fatalOf(line: string): { readonly reason: string; readonly code: unknown } | undefined {
  const entry = parse(line);
  if (entry === undefined || entry['level'] !== FATAL_LEVEL) return undefined;
  const { err, msg } = entry;
  const error = isRecord(err) ? err : {};
  return { reason: String(error['message'] ?? msg), code: error['code'] };
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    return isRecord(entry) ? entry : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
