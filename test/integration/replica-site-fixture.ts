// Starts replica sites and appliances on free ports, in this process or as processes of their own
// that can be killed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { applianceApi } from '../../contracts/appliance-api.js';
import { type Estate, type EstateInput, estateSchema } from '../../contracts/estate.js';
import { groupIdSchema, moveIdSchema, splitterIdSchema, type VolumeId, volumeIdSchema } from '../../contracts/ids.js';
import { replicaSiteApi, type SiteVolume } from '../../contracts/replica-site-api.js';
import type { RetentionPolicy } from '../../contracts/retention.js';
import type { Calls } from '../../contracts/route.js';
import { createApiClient } from '../../control/client.js';
import { freePort } from '../../estate/temporal/free-port.js';
import { type ApplianceLimits, startAppliance } from '../../simulator/appliance/appliance.js';
import { readyLineSchema } from '../../simulator/process/ready-line.js';
import { startReplicaSite, type ReplicaSiteLimits } from '../../simulator/replica-site/replica-site.js';
import { firstLine } from '../support/first-line.js';
import { PATIENCE_MS } from '../support/until.js';

const MIB = 1024 * 1024;
export const SIZE_BYTES = MIB;
export const V1 = volumeIdSchema.parse('v1');
export const V2 = volumeIdSchema.parse('v2');
export const V3 = volumeIdSchema.parse('v3');
export const G1 = groupIdSchema.parse('g1');
export const G2 = groupIdSchema.parse('g2');
export const S1 = splitterIdSchema.parse('s1');
export const S2 = splitterIdSchema.parse('s2');
const HOUR_MS = 3_600_000;

const log = pino({ level: process.env['TEST_LOG_LEVEL'] ?? 'silent' });

type Environment = Readonly<Record<string, string>>;

export interface RunningSite {
  readonly url: string;
  readonly control: Calls<typeof replicaSiteApi>;
  readonly stop: () => Promise<void>;
}

export interface RunningAppliance {
  readonly url: string;
  readonly control: Calls<typeof applianceApi>;
  readonly nbd: { readonly host: string; readonly port: number };
  readonly stop: () => Promise<void>;
}

/**
 * One test's world: a folder and what was started on it. v1 and v2 are on splitter s1, v3 on s2,
 * all in g1 at a1; g2 is at a2.
 */
export class SiteWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'replica-site-'));
  readonly #cleanUps: (() => Promise<unknown>)[] = [];
  readonly #pointEveryMs: number;
  readonly #retention: Partial<RetentionPolicy>;
  #sitePort = 0;

  /**
   * Makes a world that is not started. Without an interval, points are closed on demand only.
   * @param retention of both groups
   */
  constructor(pointEveryMs = HOUR_MS, retention: Partial<RetentionPolicy> = {}) {
    this.#pointEveryMs = pointEveryMs;
    this.#retention = retention;
  }

  async stop(): Promise<void> {
    for (const cleanUp of this.#cleanUps.reverse()) await cleanUp();
    rmSync(this.folder, { recursive: true, force: true });
  }

  onStop(cleanUp: () => Promise<unknown>): void {
    this.#cleanUps.push(cleanUp);
  }

  get estate(): Estate {
    return estateSchema.parse(this.#estateInput());
  }

  #estateInput(): EstateInput {
    const volume = (id: VolumeId) => ({ id, sizeMiB: SIZE_BYTES / MIB, group: 'g1' });
    const pointEveryMs = this.#pointEveryMs;
    const retention = this.#retention;
    return {
      replicaSite: { control: { port: this.#sitePort } },
      appliances: ['a1', 'a2'].map((id) => ({ id, control: { port: 0 }, nbd: { port: 0 } })),
      splitters: [
        { id: 's1', control: { port: 0 }, nbd: { port: 0 }, volumes: [volume(V1), volume(V2)] },
        { id: 's2', control: { port: 0 }, nbd: { port: 0 }, volumes: [volume(V3)] },
      ],
      groups: [
        { id: 'g1', appliance: 'a1', pointEveryMs, retention },
        { id: 'g2', appliance: 'a2', pointEveryMs, retention, volumesMax: 2 },
      ],
      worker: { health: { port: 0 } },
    };
  }

  /**
   * The port is the same for all sites of a world: appliances find the next one where the last one
   * was.
   */
  async #choosePort(): Promise<void> {
    this.#sitePort ||= await freePort();
  }

  async site(limits: ReplicaSiteLimits = {}, siteLog = log): Promise<RunningSite> {
    await this.#choosePort();
    const config = {
      id: 'replica-site',
      estate: this.estate,
      dataFolder: join(this.folder, 'site'),
      sync: false,
      faults: true,
    };
    const running = await startReplicaSite(config, siteLog, limits);
    const stop = callableOnce(running.stop);
    this.onStop(stop);
    return { url: running.url, control: createApiClient(replicaSiteApi, { baseUrl: running.url }), stop };
  }

  async siteProcess(env: Environment = {}): Promise<RunningSite & { readonly kill: () => Promise<void> }> {
    await this.#choosePort();
    const process = await this.#process('replica-site', 'site', env);
    return { ...process, control: createApiClient(replicaSiteApi, { baseUrl: process.url }) };
  }

  async appliance(id: 'a1' | 'a2', limits: ApplianceLimits = {}): Promise<RunningAppliance> {
    const config = {
      id,
      estate: this.estate,
      dataFolder: join(this.folder, id),
      sync: false,
      faults: true,
    };
    const running = await startAppliance(config, log, limits);
    const stop = callableOnce(running.stop);
    this.onStop(stop);
    if (running.nbd === undefined) throw new Error('an appliance without NBD');
    return {
      url: running.url,
      nbd: running.nbd,
      control: createApiClient(applianceApi, { baseUrl: running.url }),
      stop,
    };
  }

  async applianceProcess(
    id: 'a1' | 'a2',
    env: Environment = {},
  ): Promise<Omit<RunningAppliance, 'nbd'> & { readonly kill: () => Promise<void> }> {
    const process = await this.#process('appliance', id, env);
    return { ...process, control: createApiClient(applianceApi, { baseUrl: process.url }) };
  }

  async #process(
    role: 'replica-site' | 'appliance',
    id: string,
    env: Environment,
  ): Promise<{ url: string; stop: () => Promise<void>; kill: () => Promise<void> }> {
    const estatePath = join(this.folder, 'estate.json');
    writeFileSync(estatePath, JSON.stringify(this.#estateInput()));
    const main = fileURLToPath(new URL(`../../dist/simulator/${role}/main.js`, import.meta.url));
    const child = spawn(process.execPath, [main], {
      env: {
        ...process.env,
        ...env,
        VOLUME_MOVER_ESTATE: estatePath,
        VOLUME_MOVER_ID: id,
        VOLUME_MOVER_DATA: join(this.folder, id),
        VOLUME_MOVER_LOG_LEVEL: 'warn',
        VOLUME_MOVER_EXIT_WITH_PARENT: '1',
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    const end = async (signal: NodeJS.Signals): Promise<void> => {
      child.kill(signal);
      await exited;
    };
    this.onStop(async () => end('SIGKILL'));
    const { url } = readyLineSchema.parse(JSON.parse(await firstLine(child)));
    return { url, stop: async () => end('SIGTERM'), kill: async () => end('SIGKILL') };
  }
}

function callableOnce(stop: () => Promise<void>): () => Promise<void> {
  let stopping: Promise<void> | undefined;
  return async () => (stopping ??= stop());
}

/** @throws Error after a while in which the condition never held. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = Date.now() + PATIENCE_MS;
  while (Date.now() < endMs) {
    if (await condition()) return;
    await pause(5);
  }
  throw new Error(`it never came to this: ${what}`);
}

/** What the replica site says of a volume. */
export async function volumeOf(site: Pick<RunningSite, 'control'>, volume = V1): Promise<SiteVolume> {
  const { volumes } = await site.control.volumes({ volume });
  const [found] = volumes;
  if (found === undefined) throw new Error(`no volume ${volume}`);
  return found;
}

/** What a call that is to be refused is refused with. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'not refused',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
  );
}

export function attemptRef(n: number, move = 'move-1'): { move: ReturnType<typeof moveIdSchema.parse>; n: number } {
  return { move: moveIdSchema.parse(move), n };
}
