// Runs a whole estate in the foreground: starts it, keeps each process alive, stops it on request.
import { mkdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { ESTATE_FILE, readEstateFile } from '../client/estate-file.js';
import type { Estate } from '../contracts/estate.js';
import { type EstateTemporal, planTemporal } from './estate-temporal.js';
import { endLastRun, recordRun } from './last-run.js';
import { type PreparedEstate, prepareEstate } from './launch.js';
import { refuseTakenPorts, TEMPORAL_PORTS, wantedPorts } from './ports.js';
import { Supervisor } from './supervisor.js';
import { existingServer } from './temporal/existing-server.js';
import { watchExistingServer } from './temporal/existing-watch.js';
import { welcome } from './welcome.js';

export interface StartOptions {
  /** Path of the estate file. */
  readonly estate: string;
  /** The folder that holds all data. */
  readonly data: string;
}

const DATABASE_FILE = 'temporal.db';

/** What has been started so far. */
interface StartedParts {
  temporal?: EstateTemporal;
  estate?: PreparedEstate;
}

/** Runs the estate. @returns the exit code, after everything has stopped */
export async function runStart(options: StartOptions): Promise<number> {
  const interrupted = whenAskedToStop();
  const stopping = new AbortController();
  const run: StartedParts = {};
  const supervisor = new Supervisor({ print, onLife: () => record(options.data, run) });
  try {
    await Promise.race([start(options, run, supervisor, stopping.signal), interrupted, supervisor.refused]);
    await Promise.race([interrupted, supervisor.refused]);
    return await stop(run, supervisor, stopping);
  } catch (error) {
    console.error(`volume-mover: ${messageOf(error)}`);
    await stop(run, supervisor, stopping);
    return 1;
  }
}

/**
 * Starts everything. Errors that only the user can mend are thrown before anything is started;
 * later failures concern one process alone.
 */
async function start(
  options: StartOptions,
  run: StartedParts,
  supervisor: Supervisor,
  signal: AbortSignal,
): Promise<void> {
  const data = resolve(options.data);
  const planned = readEstateFile(resolve(options.estate));
  await mkdir(join(data, 'logs'), { recursive: true });
  await endLastRun(data, print);
  await refuseTakenPorts([...wantedPorts(planned), ...temporalPorts(planned)]);
  const temporal = await planTemporal({
    ...portsOfTemporal(planned),
    databaseFile: join(data, DATABASE_FILE),
    logFile: join(data, 'logs', 'temporal.log'),
    print,
  });
  run.temporal = temporal;
  run.estate = await prepareEstate({ estate: planned, dataDirectory: data, temporal: temporal.access, log: print });
  const { estate, stages } = run.estate;
  if (temporal.kind === 'existing') void watchExistingServer(temporal.server, { print, signal });
  const [first = [], ...others] = stages;
  await supervisor.start(temporal.kind === 'own' ? [temporal.server, ...first] : first);
  for (const stage of others) await supervisor.start(stage);
  if (signal.aborted) return;
  const estateFile = relative(process.cwd(), join(data, ESTATE_FILE));
  print(welcome({ estate, estateFile, logs: join(options.data, 'logs'), temporalUiUrl: temporal.access.uiUrl }));
}

/** Stops everything that was started, even if some of it can't be stopped. @returns exit code */
async function stop(
  { temporal, estate }: StartedParts,
  supervisor: Supervisor,
  stopping: AbortController,
): Promise<number> {
  stopping.abort();
  supervisor.end();
  if (estate === undefined) return 0;
  print('Stopping ... (Ctrl-C again stops without waiting)');
  const troubles: string[] = [];
  const attempt = async (work: Promise<void> | undefined): Promise<void> =>
    work?.catch((error: unknown) => void troubles.push(messageOf(error)));
  await attempt(estate.stop());
  if (temporal?.kind === 'own') await attempt(temporal.server.stop());
  if (troubles.length > 0) {
    console.error(`volume-mover: ${troubles.join('\n')}`);
    return 1;
  }
  await supervisor.settled();
  print('Stopped. The next start continues from this state.');
  return 0;
}

function record(data: string, { temporal, estate }: StartedParts): void {
  const ours = temporal?.kind === 'own' ? [temporal.server] : [];
  recordRun(resolve(data), [...ours, ...(estate?.processes ?? [])]);
}

/** Temporal's ports; none for an existing server, which this estate doesn't start. */
function temporalPorts(estate: Estate): { port: number; by: string }[] {
  if (existingServer(process.env) !== undefined) return [];
  const { port, uiPort } = portsOfTemporal(estate);
  return [
    { port, by: 'Temporal' },
    { port: uiPort, by: 'the Temporal UI' },
  ];
}

function portsOfTemporal({ temporal }: Estate): { port: number; uiPort: number } {
  const { port, uiPort } = temporal ?? TEMPORAL_PORTS;
  return { port, uiPort };
}

function print(line: string): void {
  console.log(line);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function whenAskedToStop(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
}
