// An estate of real processes whose wall clocks a test sets, each by itself; monotonic clocks stay
// as they are.
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { estateSchema, type EstateInput } from '../../contracts/estate.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { type Health, healthOperation } from '../../contracts/health.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import { createApiClient } from '../../control/client.js';
import { launchEstate, REPLICA_SITE_ID, type RunningEstate } from '../../estate/launch.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { connectNbd } from '../../nbd/client.js';
import { type Ran, runCommand } from '../support/cli.js';
import { PATIENCE_MS, until } from '../support/until.js';

const SHIFTED_CLOCK = pathToFileURL(new URL('../support/shifted-clock.mjs', import.meta.url).pathname).href;
const PORT = { port: 0 };
const BLOCK_BYTES = 4_096;

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
export const GROUP = groupIdSchema.parse('cg-gold');
export const OTHER = groupIdSchema.parse('cg-silver');
export const VOLUME = volumeIdSchema.parse('vm-1-disk-0');
export const PROCESSES = [REPLICA_SITE_ID, 'appliance-1', 'host-1'] as const;
export type ClockedProcess = (typeof PROCESSES)[number];

const ESTATE: EstateInput = {
  replicaSite: { control: PORT },
  appliances: [{ id: 'appliance-1', control: PORT, nbd: PORT }],
  splitters: [{ id: 'host-1', control: PORT, nbd: PORT, volumes: [{ id: VOLUME, sizeMiB: 4, group: GROUP }] }],
  groups: [
    { id: GROUP, appliance: 'appliance-1', pointEveryMs: 200 },
    { id: OTHER, appliance: 'appliance-1', pointEveryMs: 200 },
  ],
  worker: { health: PORT },
};

export interface ClockEstateOptions {
  /** How long a clock must agree before it is believed; default: the product's own. */
  readonly agreesAfterS?: number;
  /** Shifts from the start on, ms. */
  readonly shiftsMs?: Partial<Record<ClockedProcess, number>>;
}

export class ClockEstate {
  readonly running: RunningEstate;
  readonly client: MoverClient;
  readonly #folder: string;

  private constructor(running: RunningEstate, folder: string) {
    this.running = running;
    this.client = createMoverClient({ estate: running.estate });
    this.#folder = folder;
  }

  static async start({ agreesAfterS, shiftsMs = {} }: ClockEstateOptions = {}): Promise<ClockEstate> {
    const folder = await mkdtemp(join(tmpdir(), 'clock-estate-'));
    const clocks = join(folder, 'clocks');
    await mkdir(clocks);
    for (const [id, shiftMs] of Object.entries(shiftsMs)) await writeFile(join(clocks, id), String(shiftMs));
    const running = await launchEstate({
      estate: estateSchema.parse(ESTATE),
      dataDirectory: folder,
      environment: {
        NODE_OPTIONS: `--import=${SHIFTED_CLOCK}`,
        SHIFTED_CLOCK_FOLDER: clocks,
        VOLUME_MOVER_RETENTION_EVERY_S: '1',
        ...(agreesAfterS === undefined ? {} : { VOLUME_MOVER_CLOCK_AGREES_S: String(agreesAfterS) }),
      },
      log: () => undefined,
    });
    return new ClockEstate(running, folder);
  }

  async stop(): Promise<void> {
    await this.client.close();
    await this.running.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Sets the wall clocks of the processes this far from true time, in one instant each. */
  async setClocks(shiftMs: number, processes: readonly ClockedProcess[] = PROCESSES): Promise<void> {
    for (const id of processes) {
      const draft = join(this.#folder, `${id}.shift`);
      await writeFile(draft, String(shiftMs));
      await rename(draft, join(this.#folder, 'clocks', id));
    }
  }

  async points(): Promise<RecoveryPoint[]> {
    return (await this.client.points.list({ group: GROUP })).points;
  }

  async pointIds(): Promise<string[]> {
    return (await this.points()).map(({ id }) => id);
  }

  /**
   * Waits until so many points were closed from now on; `isSuch` says which count. Some rounds of
   * retention pass meanwhile.
   */
  async morePoints(count: number, isSuch: (point: RecoveryPoint) => boolean = () => true): Promise<RecoveryPoint[]> {
    const before = (await this.points()).at(-1)?.id ?? '';
    return await until(`${count} more points`, PATIENCE_MS, async () => {
      const more = (await this.points()).filter((point) => point.id > before && isSuch(point));
      return more.length >= count ? more : undefined;
    });
  }

  /** Fills the first block of the disk, and waits until the replica has it. */
  async write(fill: number): Promise<void> {
    const disk = await connectNbd(await nbdAddressOf(this.running.process('host-1')), VOLUME);
    try {
      await disk.write(0, Buffer.alloc(BLOCK_BYTES, fill));
    } finally {
      await disk.disconnect();
    }
    await waitUntilQuiet(this.client, { volume: VOLUME, timeoutMs: PATIENCE_MS });
  }

  async health(id: ClockedProcess): Promise<Health> {
    const { url } = await this.running.process(id).waitReady();
    return await createApiClient({ health: healthOperation }, { baseUrl: url }).health({});
  }

  /** Waits until the health of a process has a sentence, or has none such any more. */
  async untilNoted(id: ClockedProcess, sentence: RegExp, noted = true): Promise<void> {
    await until(`${String(sentence)} ${noted ? 'in' : 'gone from'} the health of ${id}`, PATIENCE_MS, async () =>
      (await this.health(id)).notes.some((note) => sentence.test(note)) === noted ? true : undefined,
    );
  }

  async cli(...words: string[]): Promise<Ran> {
    return await runCommand({ VOLUME_MOVER_ESTATE: this.running.estateFile }, words);
  }

  /** A path in the estate's folder. */
  path(name: string): string {
    return join(this.#folder, name);
  }
}
