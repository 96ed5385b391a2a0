// How a process of the estate ended, and why by its own words: the last fatal line of its log, else
// the last lines.

export interface ProcessEnd {
  /** Ends the sentence "The worker …", e.g. "ended with exit code 1". */
  readonly how: string;
  /** The process's own reason, if it gave one. */
  readonly reason: string | undefined;
  /** Whether the process refused its configuration: trying again can't help. */
  readonly isRefusal: boolean;
  /** The end of what it logged in this life. */
  readonly lastLines: readonly string[];
}

/** pino's level of what ends a process. */
const FATAL_LEVEL = 60;
/**
 * The code by which every process refuses its environment, its estate file or an address that it
 * can't have.
 */
const REFUSAL_CODE = 'INVALID_REQUEST';

/** @param lines the end of the log of this life */
export function processEnd(how: string, lines: readonly string[]): ProcessEnd {
  const fatal = lines.map(fatalOf).findLast((found) => found !== undefined);
  return { how, reason: fatal?.reason, isRefusal: fatal?.code === REFUSAL_CODE, lastLines: lines };
}

/** The end of one that never came to be. */
export function unstarted(error: unknown): ProcessEnd {
  const reason = error instanceof Error ? error.message : String(error);
  return { how: 'could not be started', reason, isRefusal: false, lastLines: [] };
}

/** @param signal wins over the exit code */
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
