// Starts and stops a Temporal dev server as a child process: the real server, on loopback.
import { setTimeout as delay } from 'node:timers/promises';

import { describeExit, type ProcessEnd, processEnd } from '../process-end.js';
import { startBoundChild } from './bound-child.js';
import { withTemporalAt } from './reach.js';
import { freePort, isListening, isPortFree } from './free-port.js';
import { SEARCH_ATTRIBUTES } from '../../contracts/search-attributes.js';
import { setRetention } from './retention.js';

import type { BoundChild } from './bound-child.js';

const LOOPBACK = '127.0.0.1';
/** The namespace that a dev server always has. */
export const DEV_NAMESPACE = 'default';

/** Longest start, ms: 0.4 to 2 s measured, more on a busy machine or with a large database. */
const READY_TIMEOUT_MS = 60_000;
const READY_POLL_INTERVAL_MS = 20;
/** Longest wait for one attempt to connect, ms. */
const CONNECT_TIMEOUT_MS = 1_000;
/** Tries with other ports, in case another process takes a free port before the server listens. */
const START_TRIES = 3;
/** Last lines of the server shown in an error. */
const FAILURE_LOG_LINES = 10;

/** Settings that moves need and that the server has off or slow by default (1.29.1). */
const DYNAMIC_CONFIG: readonly string[] = [
  // Starts an activity on the worker that completed the workflow task: five steps take 300 ms
  // instead of 550.
  'system.enableActivityEagerExecution=true',
  // A 50 ms timer fires after 0.2 s instead of 1.1 s.
  'history.timerProcessorMaxTimeShift="10ms"',
  // Priority and fairness of queued tasks.
  'matching.useNewMatcher=true',
  'matching.enableFairness=true',
  // One partition: each has its own order and a poll takes from any, so with four (the default) a
  // batch's tasks in one overtake an operator's in another.
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
];

/**
 * Pragmas for state that outlives the server: commits go to the write-ahead log, which is synced at
 * its checkpoints.
 */
const DATABASE_PRAGMAS: readonly string[] = ['journal_mode=WAL', 'synchronous=NORMAL'];

export interface StartTemporalOptions {
  /** The `temporal` command, as `locateTemporal` finds it. */
  readonly executable: string;
  /** gRPC port; default: a free one. */
  readonly port?: number;
  /** Web UI port; default: a free one. */
  readonly uiPort?: number;
  /** SQLite file of the state; default: in memory. */
  readonly databaseFile?: string;
  /**
   * Custom search attributes, name to type, e.g. `{ Volumes: 'KeywordList' }`; default: those of
   * moves and batches.
   */
  readonly searchAttributes?: Readonly<Record<string, string>>;
  /** Settings of the server besides those that moves need, e.g. `['limit.x=5']`; default: none. */
  readonly dynamicConfig?: readonly string[];
  /** Called with each line that the server writes (errors only). */
  readonly log: (line: string) => void;
}

/** One life of a dev server from its start on, serving or not. */
export interface TemporalLife {
  readonly processId: number;
  /** Resolves when the server can be used; rejects with its last lines when it ends first. */
  readonly serving: Promise<void>;
  readonly ended: Promise<ProcessEnd>;
  readonly hasEnded: () => boolean;
  readonly stop: () => Promise<void>;
  readonly kill: () => Promise<void>;
}

/** A dev server that serves. */
export interface TemporalDevServer {
  /** `host:port` of the gRPC service. */
  readonly address: string;
  readonly uiUrl: string;
  /** Process id, for tests that kill the server. */
  readonly processId: number;
  /** Stops the server and waits until it is gone; safe to call again. */
  readonly stop: () => Promise<void>;
}

/**
 * Starts a dev server on loopback, waits until it serves, and sets the retention of finished
 * workflows to 30 days.
 *
 * @throws Error when a given port is taken, or with its last lines when the server ends or doesn't
 * serve within 60 s
 */
export async function startTemporal(options: StartTemporalOptions): Promise<TemporalDevServer> {
  for (const port of [options.port, options.uiPort]) {
    if (port !== undefined && !(await isPortFree(port)))
      throw new Error(`Port ${port} is taken: Temporal can't use it.`);
  }
  for (let tries = 1; ; tries += 1) {
    try {
      return await startOnce(options, options.port ?? (await freePort()), options.uiPort ?? (await freePort()));
    } catch (error) {
      const lostRace = error instanceof Error && error.message.includes('address already in use');
      if (!lostRace || tries === START_TRIES) throw error;
    }
  }
}

async function startOnce(options: StartTemporalOptions, port: number, uiPort: number): Promise<TemporalDevServer> {
  const life = await beginTemporal({ ...options, port, uiPort });
  try {
    await servingInTime(life.serving);
  } catch (error) {
    await life.stop();
    throw error;
  }
  const { processId, stop } = life;
  return { address: `${LOOPBACK}:${port}`, uiUrl: `http://${LOOPBACK}:${uiPort}`, processId, stop };
}

/**
 * Waits until a server serves.
 * @throws what `serving` rejects with; Error after 60 s
 */
export async function servingInTime(serving: Promise<unknown>): Promise<void> {
  const timer = new AbortController();
  const late = delay(READY_TIMEOUT_MS, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`The Temporal server is not ready after ${READY_TIMEOUT_MS} ms.`);
  });
  late.catch(() => undefined);
  await Promise.race([serving, late]).finally(() => timer.abort());
}

/**
 * Starts a dev server without waiting until it serves.
 * @throws Error when the command can't be started
 */
export async function beginTemporal(
  options: StartTemporalOptions & { readonly port: number; readonly uiPort: number },
): Promise<TemporalLife> {
  const { port, uiPort, log, executable } = options;
  const child = await startBoundChild(executable, serverArgs(options, port, uiPort));
  const lastLines = collectLines(child, log);
  const ended = child.ended.then(() => {
    const { exitCode, signalCode } = child.process;
    return processEnd(describeExit(exitCode, signalCode), lastLines);
  });
  const serving = waitUntilServing(child, port, lastLines);
  serving.catch(() => undefined);
  const { processId, hasEnded, stop, kill } = child;
  return { processId, serving, ended, hasEnded, stop, kill };
}

function serverArgs(options: StartTemporalOptions, port: number, uiPort: number): string[] {
  const { databaseFile, searchAttributes = SEARCH_ATTRIBUTES, dynamicConfig = [] } = options;
  return [
    'server',
    'start-dev',
    `--ip=${LOOPBACK}`,
    `--port=${port}`,
    `--ui-port=${uiPort}`,
    '--log-level=error',
    ...[...DYNAMIC_CONFIG, ...dynamicConfig].map((value) => `--dynamic-config-value=${value}`),
    ...Object.entries(searchAttributes).map(([name, type]) => `--search-attribute=${name}=${type}`),
    ...(databaseFile === undefined
      ? []
      : [`--db-filename=${databaseFile}`, ...DATABASE_PRAGMAS.map((pragma) => `--sqlite-pragma=${pragma}`)]),
  ];
}

/** Passes each line on, and keeps the last ones for an error's message. */
function collectLines(child: BoundChild, log: (line: string) => void): readonly string[] {
  const lastLines: string[] = [];
  let rest = '';
  child.process.stderr.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      log(line);
      lastLines.push(line);
      if (lastLines.length > FAILURE_LOG_LINES) lastLines.shift();
    }
  });
  return lastLines;
}

async function waitUntilServing(child: BoundChild, port: number, lastLines: readonly string[]): Promise<void> {
  while (!(await canBeUsed(port))) {
    if (child.hasEnded()) {
      throw new Error(['The Temporal server ended at its start:', ...lastLines].join('\n  '));
    }
    await delay(READY_POLL_INTERVAL_MS);
  }
}

/**
 * Whether the server can be used: its namespace can be read and changed. The port is checked first,
 * as a gRPC client that finds it closed waits a second before it retries.
 */
async function canBeUsed(port: number): Promise<boolean> {
  if (!(await isListening(port))) return false;
  try {
    await withTemporalAt({ address: `${LOOPBACK}:${port}` }, CONNECT_TIMEOUT_MS, async (connection) =>
      setRetention(connection, DEV_NAMESPACE),
    );
    return true;
  } catch {
    return false;
  }
}
