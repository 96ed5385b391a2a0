// Runs a whole estate in the foreground: starts it, keeps its processes alive, stops it when asked to.
import { mkdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { ESTATE_FILE, readEstateFile } from '../client/estate-file.js';
import type { Estate } from '../contracts/estate.js';
import { KeepAlive } from './keep-alive.js';
import { launchEstate, type RunningEstate } from './launch.js';
import { refuseTakenPorts, wantedPorts } from './ports.js';
import { existingServer } from './temporal/existing-server.js';
import { openTemporal, type OpenTemporal } from './temporal/open.js';
import { welcome } from './welcome.js';

export interface StartOptions {
  /** Path of the estate file. */
  readonly estate: string;
  /** Folder where everything is kept. */
  readonly data: string;
}

const DATABASE_FILE = 'temporal.db';

/** @returns the exit code, when everything is stopped again */
export async function runStart({ estate: estatePath, data }: StartOptions): Promise<number> {
  const interrupted = whenAskedToStop();
  let temporal: OpenTemporal | undefined;
  let running: RunningEstate | undefined;
  const trouble = new Trouble();
  const keepAlive = new KeepAlive(say, trouble.tell);
  try {
    const estate = readEstateFile(resolve(estatePath));
    await refuseTakenPorts([...wantedPorts(estate), ...temporalPorts(estate)]);
    temporal = await startTemporal(estate, data);
    running = await launchEstate({
      estate,
      dataDirectory: data,
      temporal,
      log: say,
      onDeath: (death) => void keepAlive.revive(death),
    });
    const estateFile = relative(process.cwd(), join(data, ESTATE_FILE));
    say(welcome({ estate: running.estate, estateFile, logs: join(data, 'logs'), temporalUiUrl: temporal.uiUrl }));
    await Promise.race([interrupted, trouble.told]);
    return 0;
  } catch (error) {
    console.error(`volume-mover: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    keepAlive.end();
    if (running !== undefined) say('Stopping ...');
    await running?.stop();
    await temporal?.stop();
    if (running !== undefined) say('Stopped. The next start finds everything as it is now.');
  }
}

/** None for an existing server: its ports are its own business. */
function temporalPorts({ temporal: { port, uiPort } }: Estate): { port: number; by: string }[] {
  if (existingServer(process.env) !== undefined) return [];
  return [
    { port, by: 'Temporal' },
    { port: uiPort, by: 'the Temporal UI' },
  ];
}

async function startTemporal({ temporal: { port, uiPort } }: Estate, data: string): Promise<OpenTemporal> {
  await mkdir(data, { recursive: true });
  return await openTemporal({
    ...(port === 0 ? {} : { port }),
    ...(uiPort === 0 ? {} : { uiPort }),
    databaseFile: join(data, DATABASE_FILE),
    log: say,
  });
}

function say(line: string): void {
  console.log(line);
}

async function whenAskedToStop(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
}

/** What ends the estate besides the user. */
class Trouble {
  readonly told: Promise<never>;
  tell: (reason: Error) => void = () => undefined;

  constructor() {
    this.told = new Promise((_resolve, reject) => {
      this.tell = reject;
    });
    this.told.catch(() => undefined);
  }
}
