// Starts splitters against fake appliances: in this process, or as processes of their own that can
// be killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { expect } from 'vitest';
import type { AttemptVolume, Endpoint, TicketedAttempt } from '../../contracts/attempt.js';
import { type EstateInput, estateSchema } from '../../contracts/estate.js';
import {
  applianceIdSchema,
  groupIdSchema,
  moveIdSchema,
  splitterIdSchema,
  type VolumeId,
  volumeIdSchema,
} from '../../contracts/ids.js';
import type { Calls } from '../../contracts/route.js';
import { type SplitterVolume, splitterApi } from '../../contracts/splitter-api.js';
import { createApiClient } from '../../control/client.js';
import { connectNbd } from '../../nbd/client.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { readyLineSchema } from '../../simulator/process/ready-line.js';
import { DEFAULT_SPLITTER_LIMITS, type SplitterLimits } from '../../simulator/splitter/limits.js';
import { startSplitter } from '../../simulator/splitter/splitter.js';
import { Chance } from '../simulation/virtual-time.js';
import { firstLine } from '../support/first-line.js';
import { FakeAppliance, FakeSite } from './splitter-fake-site.js';
import { PATIENCE_MS } from '../support/until.js';

export const MIB = 1024 * 1024;
export const SIZE_MIB = 4;
export const SIZE_BYTES = SIZE_MIB * MIB;
export const V1 = volumeIdSchema.parse('v1');
export const V2 = volumeIdSchema.parse('v2');
export const SPLITTER = splitterIdSchema.parse('s1');
const MAIN = fileURLToPath(new URL('../../dist/simulator/splitter/main.js', import.meta.url));

export interface Running {
  readonly control: Calls<typeof splitterApi>;
  readonly open: (volume: VolumeId, contexts?: readonly string[]) => Promise<NbdClient>;
  readonly stop: () => Promise<void>;
  /** Only of a process of its own: kill -9. */
  readonly kill: () => Promise<void>;
}

export interface StartOptions {
  readonly limits?: Partial<SplitterLimits>;
  readonly sync?: boolean;
  readonly sizeMiB?: number;
  /** Default: v1 and v2. */
  readonly volumes?: readonly VolumeId[];
  readonly environment?: Record<string, string>;
  /** Only of a process of its own: where it listens for guests, beside its unix socket. */
  readonly nbdHost?: string;
}

/**
 * One test's world: a folder, two appliances over one site, and splitters started on the folder one
 * after the other.
 */
export class SplitterWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'splitter-'));
  readonly site = new FakeSite();
  readonly first = new FakeAppliance('a1', this.site);
  readonly second = new FakeAppliance('a2', this.site);
  readonly #cleanUps: (() => Promise<unknown>)[] = [];

  async start(): Promise<this> {
    await this.first.start();
    await this.second.start();
    return this;
  }

  /**
   * Ends all that was started. The site must have met nothing that breaks the rules of the stream.
   */
  async stop(): Promise<void> {
    for (const cleanUp of this.#cleanUps.reverse()) await cleanUp();
    await this.first.stop();
    await this.second.stop();
    rmSync(this.folder, { recursive: true, force: true });
    expect(this.site.violations).toEqual([]);
  }

  /** Done when every splitter has ended, before the folder goes. */
  onStop(cleanUp: () => Promise<unknown> | void): void {
    this.#cleanUps.unshift(async () => cleanUp());
  }

  get dataFolder(): string {
    return join(this.folder, 'data');
  }

  path(volume: VolumeId, kind: 'img' | 'marks' | 'spill' | 'trace'): string {
    return join(this.dataFolder, 'volumes', `${volume}.${kind}`);
  }

  source(volume: VolumeId): Buffer {
    return readFileSync(this.path(volume, 'img'));
  }

  endpoint(group: 'g1' | 'g2'): Endpoint {
    const appliance = group === 'g1' ? this.first : this.second;
    return {
      group: groupIdSchema.parse(group),
      appliance: applianceIdSchema.parse(appliance.name),
      url: appliance.url,
    };
  }

  /** Tells a splitter of an attempt to move volumes from g1 to g2. */
  async notify({ control }: Running, of: TicketedAttempt, volumes = [bound(1)]) {
    const [from, to] = [this.endpoint('g1'), this.endpoint('g2')];
    return control.notify({ attempt: of, volumes, from, to, resolvers: [this.first.url, this.second.url] });
  }

  #estate(sizeMiB: number, volumes: readonly VolumeId[] = [V1, V2], nbdHost = '127.0.0.1'): EstateInput {
    return {
      replicaSite: { control: { port: 0 } },
      appliances: [this.first, this.second].map(({ name, port }) => ({
        id: name,
        control: { port },
        nbd: { port: 0 },
      })),
      splitters: [
        {
          id: SPLITTER,
          control: { port: 0 },
          nbd: { host: nbdHost, port: 0 },
          volumes: volumes.map((id) => ({ id, sizeMiB, group: 'g1' })),
        },
      ],
      groups: [
        { id: 'g1', appliance: 'a1' },
        { id: 'g2', appliance: 'a2' },
      ],
      worker: { health: { port: 0 } },
    };
  }

  /** A splitter in this process. */
  async splitter({ limits, sync = false, sizeMiB = SIZE_MIB, volumes }: StartOptions = {}): Promise<Running> {
    const running = await startSplitter({
      id: SPLITTER,
      estate: estateSchema.parse(this.#estate(sizeMiB, volumes)),
      dataFolder: this.dataFolder,
      sync,
      trace: true,
      limits: { ...DEFAULT_SPLITTER_LIMITS, ...limits },
      unprotected: false,
      log: pino({ level: 'silent' }),
    });
    this.#cleanUps.push(running.stop);
    return {
      ...this.#reach(running.url, running.nbd),
      stop: running.stop,
      kill: async () => Promise.reject(new Error('it is this process')),
    };
  }

  /** A splitter as a process of its own. */
  async splitterProcess({ sizeMiB = SIZE_MIB, environment = {}, nbdHost }: StartOptions = {}): Promise<
    Running & { readonly child: ChildProcess; readonly nbdPort: number }
  > {
    const estatePath = join(this.folder, 'estate.json');
    writeFileSync(estatePath, JSON.stringify(this.#estate(sizeMiB, undefined, nbdHost)));
    const child = spawn(process.execPath, [MAIN], {
      env: {
        ...process.env,
        VOLUME_MOVER_ESTATE: estatePath,
        VOLUME_MOVER_ID: SPLITTER,
        VOLUME_MOVER_DATA: this.dataFolder,
        VOLUME_MOVER_TRACE: '1',
        VOLUME_MOVER_LOG_LEVEL: 'warn',
        VOLUME_MOVER_EXIT_WITH_PARENT: '1',
        ...environment,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      process.stderr.write(text);
    });
    const exited = once(child, 'exit');
    const closed = once(child, 'close');
    const end = async (signal: NodeJS.Signals): Promise<void> => {
      child.kill(signal);
      await exited;
    };
    this.#cleanUps.push(async () => end('SIGKILL'));
    const line = await firstLine(child).catch(async (error: unknown) => {
      await closed;
      throw new Error(`the splitter ended before it was ready:\n${said}`, { cause: error });
    });
    const ready = readyLineSchema.parse(JSON.parse(line));
    if (ready.nbd === undefined) throw new Error('a splitter without NBD');
    return {
      child,
      nbdPort: ready.nbd.port,
      ...this.#reach(ready.url, ready.nbd),
      stop: async () => end('SIGTERM'),
      kill: async () => end('SIGKILL'),
    };
  }

  #reach(
    url: string,
    nbd: { host: string; port: number; socket?: string | undefined },
  ): Pick<Running, 'control' | 'open'> {
    return {
      control: createApiClient(splitterApi, { baseUrl: url }),
      open: async (volume, contexts = []) => {
        const client = await connectNbd(nbd.socket === undefined ? nbd : { path: nbd.socket }, volume, { contexts });
        this.#cleanUps.push(async () => client.disconnect());
        return client;
      },
    };
  }
}

/** @throws Error after `PATIENCE_MS` in which the condition never held. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const endMs = Date.now() + PATIENCE_MS; Date.now() < endMs;) {
    if (await condition()) return;
    await pause(5);
  }
  throw new Error(`it never came to this: ${what}`);
}

export async function describe(running: Running, volume: VolumeId): Promise<SplitterVolume> {
  const { volumes } = await running.control.inventory({ volume });
  const [found] = volumes;
  if (found === undefined) throw new Error(`no volume ${volume}`);
  return found;
}

/** Waits until everything is durable at the site and no mark is left. */
export async function quiet(running: Running, volume: VolumeId): Promise<void> {
  await until(async () => {
    const { mode, unconfirmedBytes, markedRegions } = await describe(running, volume);
    return mode === 'SYNCED' && unconfirmedBytes === 0 && markedRegions === 0;
  }, `volume ${volume} is quiet`);
}

export function attempt(n: number, ticket = n): TicketedAttempt {
  return { move: moveIdSchema.parse('move-v1@run'), n, ticket };
}

/** A volume of the splitter as an attempt names it. */
export function bound(epoch: number, volume = V1): AttemptVolume {
  return { volume, splitter: SPLITTER, epoch };
}

/** Random numbers in [0, 1) from a seed, so that a failing run can be run again. */
export function seeded(seed: number): () => number {
  const chance = new Chance(seed);
  return () => chance.next();
}
