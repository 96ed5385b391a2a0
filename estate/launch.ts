// Starts a whole estate as processes of the compiled product, in dependency order, and stops it.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ESTATE_FILE } from '../client/estate-file.js';
import { controlUrl, type Estate } from '../contracts/estate.js';
import { readCredentials } from '../control/credentials.js';
import { EstateProcess } from './estate-process.js';
import { entryPoint } from './project.js';
import { refuseTakenPorts, TEMPORAL_PORTS, wantedPorts, withPorts } from './ports.js';
import type { Supervised } from './supervised.js';
import { type EstateRole, SupervisedProcess } from './supervised-process.js';

export const REPLICA_SITE_ID = 'replica-site';
export const WORKER_ID = 'worker';

export interface LaunchOptions {
  /** The estate. Every port 0 is replaced by a free one for the estate's life. */
  readonly estate: Estate;
  /** The folder of each process's data, the logs, and the estate file with the ports in use. */
  readonly dataDirectory: string;
  /** Where the worker finds Temporal; when absent no worker is started. */
  readonly temporal?: LaunchTemporal | undefined;
  /** Variables added to every process's environment, e.g. VOLUME_MOVER_FAULTS. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Variables of one process alone, by its id, for example its token or certificate. */
  readonly environmentFor?: (id: string) => Readonly<Record<string, string>>;
  /** Called with a line for each process that starts. */
  readonly log: (line: string) => void;
}

export interface LaunchTemporal {
  /** `host:port` of the gRPC service. */
  readonly address: string;
  readonly namespace: string;
  readonly uiUrl?: string | undefined;
}

export interface RunningEstate extends PreparedEstate {
  /** Rejects when a process ends unexpectedly, with the end of its log. */
  readonly failed: Promise<never>;
}

/** An estate whose processes are known, whether started or not. */
export interface PreparedEstate {
  /** The estate with the ports in use. */
  readonly estate: Estate;
  /** Path of the estate file that every process reads, with the ports in use. */
  readonly estateFile: string;
  /** The processes in start order: replica site, appliances, splitters, worker. */
  readonly processes: readonly EstateProcess[];
  /**
   * The processes by stage. A stage starts together; it works without the previous one, but is
   * ready sooner after it.
   */
  readonly stages: readonly (readonly Supervised[])[];
  /**
   * The process with this id: an id of the estate file, `replica-site` or `worker`.
   * @throws Error when there is none
   */
  process(id: string): EstateProcess;
  /**
   * Stops every process in reverse order and makes sure that each is gone. Safe to call twice.
   * @throws Error naming the processes that remain
   */
  stop(): Promise<void>;
}

/**
 * Starts an estate; resolves when every process is ready. When one fails to start, the others are
 * stopped.
 * @throws Error naming the taken ports; Error with the end of the log of a process that did not
 * start
 */
export async function launchEstate(options: LaunchOptions): Promise<RunningEstate> {
  const running = await prepare(options);
  try {
    await running.start(options.log);
  } catch (error) {
    await running.stop();
    throw error;
  }
  return running;
}

/**
 * Checks the estate and writes its file. Starts no process.
 * @throws Error naming the taken ports, or an id that two processes have
 */
export async function prepareEstate(options: LaunchOptions): Promise<PreparedEstate> {
  return await prepare(options);
}

async function prepare(options: LaunchOptions): Promise<Running> {
  await refuseTakenPorts(wantedPorts(options.estate));
  const dataDirectory = resolve(options.dataDirectory);
  const estate = await withPorts(withTemporal(options.estate, options.temporal));
  const logs = join(dataDirectory, 'logs');
  await mkdir(logs, { recursive: true });
  const estateFile = join(dataDirectory, ESTATE_FILE);
  const failure = new Failure();
  const shared = environmentOf(options, estateFile);
  const processOf = ({ id, role, entry, args, listen }: Member): SupervisedProcess => {
    const dataFolder = join(dataDirectory, id);
    const environment = { ...shared, ...options.environmentFor?.(id) };
    const logFile = join(logs, `${id}.log`);
    const spec = { id, role, entry: entryPoint(entry), args, dataFolder, logFile, environment };
    return new SupervisedProcess(
      new EstateProcess(spec, failure.fail),
      role,
      urlOf(listen),
      readCredentials(environment),
    );
  };
  const stages = stagesOf(estate, options.temporal !== undefined).map((stage) => stage.map(processOf));
  const running = new Running(estate, estateFile, stages, failure.failed);
  await writeEstateFile(estateFile, estate);
  return running;
}

class Running implements RunningEstate {
  readonly estate: Estate;
  readonly estateFile: string;
  readonly processes: readonly EstateProcess[];
  readonly failed: Promise<never>;
  readonly stages: readonly (readonly SupervisedProcess[])[];
  #stopping: Promise<void> | undefined;

  constructor(
    estate: Estate,
    estateFile: string,
    stages: readonly (readonly SupervisedProcess[])[],
    failed: Promise<never>,
  ) {
    this.estate = estate;
    this.estateFile = estateFile;
    this.processes = stages.flat().map(({ process }) => process);
    this.failed = failed;
    this.stages = stages;
    const ids = this.processes.map(({ id }) => id);
    const twice = ids.find((id, i) => ids.indexOf(id) !== i);
    if (twice !== undefined) throw new Error(`Two processes of the estate have the id "${twice}"; each needs its own.`);
  }

  async start(log: LaunchOptions['log']): Promise<void> {
    for (const stage of this.stages) {
      await Promise.all(stage.map(async ({ process }) => process.start()));
      for (const process of stage) log(await process.serving());
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
    for (const stage of [...this.stages].reverse()) {
      // A process that can't be stopped must not keep the others from stopping.
      await Promise.allSettled(stage.map(async (process) => process.stop()));
    }
    const left = this.processes.filter(({ isAlive }) => isAlive).map(({ id, pid }) => `${id} (process id ${pid})`);
    if (left.length > 0)
      throw new Error(
        `Still there after SIGKILL: ${left.join(', ')}. A process that waits for a dead disk ends when the disk answers.`,
      );
  }
}

/** A promise that can only reject; nobody has to await it. */
class Failure {
  readonly failed: Promise<never>;
  #reject: (error: Error) => void = () => undefined;

  constructor() {
    this.failed = new Promise((_resolve, reject) => {
      this.#reject = reject;
    });
    this.failed.catch(() => undefined);
  }

  readonly fail = (error: Error): void => this.#reject(error);
}

interface Listen {
  readonly host: string;
  readonly port: number;
  readonly tls?: boolean | undefined;
}

interface Member {
  readonly id: string;
  readonly role: EstateRole;
  readonly entry: string;
  readonly args?: readonly string[];
  /** The address that answers for its health. */
  readonly listen: Listen;
}

/** The members by stage: a stage starts together, once the previous one is ready. */
function stagesOf(estate: Estate, withWorker: boolean): Member[][] {
  const { replicaSite, appliances, splitters, worker } = estate;
  const ofSite: Member = {
    id: REPLICA_SITE_ID,
    role: 'replica site',
    entry: 'simulator/replica-site/main',
    listen: replicaSite.control,
  };
  const ofWorker: Member = {
    id: WORKER_ID,
    role: 'worker',
    entry: 'client/cli/main',
    args: ['worker'],
    listen: worker.health,
  };
  return [
    [ofSite],
    appliances.map(({ id, control }) => ({
      id,
      role: 'appliance',
      entry: 'simulator/appliance/main',
      listen: control,
    })),
    splitters.map(({ id, control }) => ({ id, role: 'splitter', entry: 'simulator/splitter/main', listen: control })),
    withWorker ? [ofWorker] : [],
  ];
}

/** The URL on this machine; the estate file's `url` may name another route. */
function urlOf({ host, port, tls }: Listen): string {
  return controlUrl({ host, port, tls });
}

/** The estate with Temporal's address, so that the command line finds it by the same file. */
function withTemporal(estate: Estate, temporal: LaunchTemporal | undefined): Estate {
  if (temporal === undefined) return estate;
  const { hostname, port } = new URL(`tcp://${temporal.address}`);
  const server = { ...estate.temporal, host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
  if (temporal.uiUrl === undefined)
    return { ...estate, temporal: { ...server, uiPort: estate.temporal?.uiPort ?? TEMPORAL_PORTS.uiPort } };
  // A server of our own speaks no TLS: an API key in somebody's shell is not for it.
  return { ...estate, temporal: { ...server, uiPort: Number(new URL(temporal.uiUrl).port), tls: false } };
}

function environmentOf({ environment, temporal }: LaunchOptions, estateFile: string): NodeJS.ProcessEnv {
  return {
    ...(temporal?.uiUrl === undefined ? process.env : withoutTemporal(process.env)),
    ...(temporal === undefined ? {} : { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: temporal.namespace }),
    // The user's temporal.toml names another server than the one started for this estate.
    ...(temporal?.uiUrl === undefined ? {} : { TEMPORAL_CONFIG_FILE: `${estateFile}.no-temporal.toml` }),
    ...environment,
    VOLUME_MOVER_ESTATE: estateFile,
  };
}

/** Drops the user's settings for other servers than the one started for this estate. */
function withoutTemporal(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('TEMPORAL_')));
}

/**
 * Writes the file by rename, so that a reader sees the old or the new one. An unchanged file is
 * left alone: an estate must start on a full disk too.
 */
async function writeEstateFile(path: string, estate: Estate): Promise<void> {
  const text = `${JSON.stringify(estate, undefined, 2)}\n`;
  const found = await readFile(path, 'utf8').catch(() => undefined);
  if (found === text) return;
  const draft = `${path}.part`;
  await writeFile(draft, text);
  await rename(draft, path);
}
