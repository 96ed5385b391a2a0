// Starts a whole estate as processes of the compiled product, in the order in which they need each other, and stops it again.
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ESTATE_FILE } from '../client/estate-file.js';
import type { Estate } from '../contracts/estate.js';
import { type Death, EstateProcess, type ProcessSpec } from './estate-process.js';
import { entryPoint } from './project.js';
import { refuseTakenPorts, wantedPorts, withPorts } from './ports.js';
import type { Ready } from './ready-line.js';

export const REPLICA_SITE_ID = 'replica-site';
export const WORKER_ID = 'worker';

export interface LaunchOptions {
  /** Ports 0 are replaced by free ones, which stay the same for the estate's life. */
  readonly estate: Estate;
  /** Everything is kept below it: each process's data, the logs, and the estate file with the ports in use. */
  readonly dataDirectory: string;
  /** Where the worker finds Temporal; without it no worker is started. */
  readonly temporal?: LaunchTemporal | undefined;
  /** Set for every process on top of this process's environment, e.g. VOLUME_MOVER_FAULTS. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Gets a line for every process that starts. */
  readonly log: (line: string) => void;
  /** Called when a process ends that nobody ended, with the end of its log. Default: `failed` rejects, nothing else happens. */
  readonly onDeath?: ((death: Death) => void) | undefined;
}

export interface LaunchTemporal {
  /** `host:port` of the gRPC service. */
  readonly address: string;
  readonly namespace: string;
  readonly uiUrl?: string | undefined;
}

export interface RunningEstate {
  /** With the ports in use. */
  readonly estate: Estate;
  /** Path of the estate file that every process reads, with the ports in use. */
  readonly estateFile: string;
  /** In the order of their start: replica site, appliances, splitters, worker. */
  readonly processes: readonly EstateProcess[];
  /** By the id in the estate file, or `replica-site`, or `worker`. @throws Error when there is none */
  process(id: string): EstateProcess;
  /** Rejects when a process ends that nobody ended, with the end of its log. */
  readonly failed: Promise<never>;
  /** Stops every process in reverse order and makes sure that each is gone. Safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Resolves when every process is ready. When one fails to start, the others are stopped again.
 * @throws Error naming the ports that are taken; Error with the end of the log of the process that did not start
 */
export async function launchEstate(options: LaunchOptions): Promise<RunningEstate> {
  await refuseTakenPorts(wantedPorts(options.estate));
  const dataDirectory = resolve(options.dataDirectory);
  const estate = await withPorts(withTemporal(options.estate, options.temporal));
  const logs = join(dataDirectory, 'logs');
  await mkdir(logs, { recursive: true });
  const estateFile = join(dataDirectory, ESTATE_FILE);
  await writeEstateFile(estateFile, estate);

  const failure = new Failure();
  const onDeath = (death: Death): void => {
    failure.fail(new Error(death.message));
    options.onDeath?.(death);
  };
  const environment = environmentOf(options, estateFile);
  const specOf = (id: string, role: string, entry: string): ProcessSpec => ({
    id,
    role,
    entry: entryPoint(entry),
    dataFolder: join(dataDirectory, id),
    logFile: join(logs, `${id}.log`),
    environment,
  });
  const stages = stagesOf(estate, options.temporal !== undefined).map((stage) =>
    stage.map(({ id, role, entry }) => new EstateProcess(specOf(id, role, entry), onDeath)),
  );
  const running = new Running(estate, estateFile, stages, failure.failed);
  try {
    await running.start(options.log);
  } catch (error) {
    await running.stop();
    throw error;
  }
  return running;
}

class Running implements RunningEstate {
  readonly estate: Estate;
  readonly estateFile: string;
  readonly processes: readonly EstateProcess[];
  readonly failed: Promise<never>;
  readonly #stages: readonly (readonly EstateProcess[])[];
  #stopping: Promise<void> | undefined;

  constructor(
    estate: Estate,
    estateFile: string,
    stages: readonly (readonly EstateProcess[])[],
    failed: Promise<never>,
  ) {
    this.estate = estate;
    this.estateFile = estateFile;
    this.processes = stages.flat();
    this.failed = failed;
    this.#stages = stages;
    const ids = this.processes.map(({ id }) => id);
    const twice = ids.find((id, i) => ids.indexOf(id) !== i);
    if (twice !== undefined) throw new Error(`Two processes of the estate have the id "${twice}"; each needs its own.`);
  }

  async start(log: LaunchOptions['log']): Promise<void> {
    for (const stage of this.#stages) {
      const readies = await Promise.all(stage.map(async (process) => process.start()));
      for (const ready of readies) log(describeReady(ready));
    }
  }

  process(id: string): EstateProcess {
    const found = this.processes.find((process) => process.id === id);
    if (found === undefined) throw new Error(`The estate has no process "${id}".`);
    return found;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    for (const stage of [...this.#stages].reverse()) await Promise.all(stage.map(async (process) => process.stop()));
    const left = this.processes.filter(({ isAlive }) => isAlive).map(({ id }) => id);
    if (left.length > 0) throw new Error(`Still running after the stop: ${left.join(', ')}.`);
  }
}

/** A promise that only ever rejects, and that nobody has to await. */
class Failure {
  readonly failed: Promise<never>;
  #reject: (error: Error) => void = () => undefined;

  constructor() {
    this.failed = new Promise((_resolve, reject) => {
      this.#reject = reject;
    });
    this.failed.catch(() => undefined);
  }

  fail(error: Error): void {
    this.#reject(error);
  }
}

interface Member {
  readonly id: string;
  readonly role: string;
  readonly entry: string;
}

/** Processes of one stage start together, once the stage before is ready. */
function stagesOf(estate: Estate, withWorker: boolean): Member[][] {
  const replicaSite = { id: REPLICA_SITE_ID, role: 'replica site', entry: 'simulator/replica-site/main' };
  const worker = { id: WORKER_ID, role: 'worker', entry: 'workers/main' };
  return [
    [replicaSite],
    estate.appliances.map(({ id }) => ({ id, role: 'appliance', entry: 'simulator/appliance/main' })),
    estate.splitters.map(({ id }) => ({ id, role: 'splitter', entry: 'simulator/splitter/main' })),
    withWorker ? [worker] : [],
  ];
}

/** The file says where Temporal is, so that the command line finds it by the same file. */
function withTemporal(estate: Estate, temporal: LaunchTemporal | undefined): Estate {
  if (temporal === undefined) return estate;
  const { hostname, port } = new URL(`tcp://${temporal.address}`);
  const uiPort = temporal.uiUrl === undefined ? estate.temporal.uiPort : Number(new URL(temporal.uiUrl).port);
  return { ...estate, temporal: { host: hostname, port: Number(port), uiPort } };
}

function environmentOf({ environment, temporal }: LaunchOptions, estateFile: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    ...(temporal === undefined ? {} : { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: temporal.namespace }),
    // The user's temporal.toml speaks of another server than one that was started for this estate.
    ...(temporal?.uiUrl === undefined ? {} : { TEMPORAL_CONFIG_FILE: `${estateFile}.no-temporal.toml` }),
    ...environment,
    VOLUME_MOVER_ESTATE: estateFile,
  };
}

/** By rename: whoever reads it meanwhile reads the old one or the new one. */
async function writeEstateFile(path: string, estate: Estate): Promise<void> {
  const draft = `${path}.part`;
  await writeFile(draft, `${JSON.stringify(estate, undefined, 2)}\n`);
  await rename(draft, path);
}

function describeReady({ role, id, url, nbd }: Ready): string {
  return `${role} ${id}: ${url}${nbd === undefined ? '' : `, nbd://${nbd.host}:${nbd.port}`}`;
}
