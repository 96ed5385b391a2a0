// A splitter at fixed addresses, as a vendor's would be: the kit stands in for its appliances.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { type EstateInput, estateSchema } from '../../contracts/estate.js';
import { applianceIdSchema, groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import type { Finding } from '../../conformance/finding.js';
import { checkSplitter, type SplitterKitOptions } from '../../conformance/splitter/run.js';
import { DEFAULT_SPLITTER_LIMITS } from '../../simulator/splitter/limits.js';
import { startSplitter } from '../../simulator/splitter/splitter.js';
import { firstLine } from '../support/first-line.js';

const MAIN = fileURLToPath(new URL('../../dist/simulator/splitter/main.js', import.meta.url));
const SPLITTER = splitterIdSchema.parse('s1');
export const VOLUME = volumeIdSchema.parse('v1');
const SIZE_MIB = 4;

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map(async (server) => once(server, 'listening')));
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    return address.port;
  });
  await Promise.all(servers.map(async (server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export class KitWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  readonly #estate: EstateInput;
  readonly #ports: { readonly control: number; readonly nbd: number; readonly next: number };
  #end: () => Promise<void> = async () => {};

  private constructor([control = 0, nbd = 0, old = 0, next = 0]: readonly number[]) {
    this.#ports = { control, nbd, next };
    this.#estate = {
      replicaSite: { control: { port: 0 } },
      appliances: [
        { id: 'a1', control: { port: old }, nbd: { port: 0 } },
        { id: 'a2', control: { port: next }, nbd: { port: 0 } },
      ],
      splitters: [
        {
          id: SPLITTER,
          control: { port: control },
          nbd: { host: '127.0.0.1', port: nbd },
          volumes: [{ id: VOLUME, sizeMiB: SIZE_MIB, group: 'g1' }],
        },
      ],
      groups: [
        { id: 'g1', appliance: 'a1' },
        { id: 'g2', appliance: 'a2' },
      ],
      worker: { health: { port: 0 } },
    };
  }

  static async make(): Promise<KitWorld> {
    return new KitWorld(await freePorts(4));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#ports.control}`;
  }

  get disk(): string {
    return `nbd://127.0.0.1:${this.#ports.nbd}/${VOLUME}`;
  }

  get nextUrl(): string {
    return `http://127.0.0.1:${this.#ports.next}`;
  }

  /** A splitter in this process: a test may patch it. */
  async startHere(): Promise<void> {
    const running = await startSplitter({
      id: SPLITTER,
      estate: estateSchema.parse(this.#estate),
      dataFolder: join(this.folder, 'data'),
      sync: false,
      trace: false,
      limits: DEFAULT_SPLITTER_LIMITS,
      unprotected: false,
      log: pino({ level: 'silent' }),
    });
    this.#end = running.stop;
  }

  /** A splitter as a process of its own, killed at its end. */
  async startProcess(): Promise<void> {
    const estatePath = join(this.folder, 'estate.json');
    writeFileSync(estatePath, JSON.stringify(this.#estate));
    const child: ChildProcess = spawn(process.execPath, [MAIN], {
      env: {
        ...process.env,
        VOLUME_MOVER_ESTATE: estatePath,
        VOLUME_MOVER_ID: SPLITTER,
        VOLUME_MOVER_DATA: join(this.folder, 'data'),
        VOLUME_MOVER_LOG_LEVEL: 'error',
        VOLUME_MOVER_EXIT_WITH_PARENT: '1',
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    this.#end = async () => {
      child.kill('SIGKILL');
      await exited;
    };
    await firstLine(child);
  }

  async end(): Promise<void> {
    await this.#end();
    this.#end = async () => {};
  }

  async check(options: Pick<SplitterKitOptions, 'only' | 'restart' | 'patienceMs' | 'onFinding'>): Promise<Finding[]> {
    return checkSplitter({
      url: this.url,
      volumes: new Map([[VOLUME, this.disk]]),
      to: { group: groupIdSchema.parse('g2'), appliance: applianceIdSchema.parse('a2'), url: this.nextUrl },
      ...options,
    });
  }

  async stop(): Promise<void> {
    await this.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
