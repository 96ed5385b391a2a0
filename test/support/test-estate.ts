// A whole estate as processes of dist/, in a folder of its own, with everything a test needs to
// reach it.
import { Client, Connection } from '@temporalio/client';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHttpPorts } from '../../control/http-ports.js';
import { applianceOf, splitterOf, type AppliancePort, type Ports, type SplitterPort } from '../../control/ports.js';
import type { StartedMove, StartMoveOptions } from '../../client/moves/move-client.js';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { type Estate, type EstateInput, estateSchema } from '../../contracts/estate.js';
import { applianceIdSchema, splitterIdSchema } from '../../contracts/ids.js';
import type { MoveInput, MoveReport } from '../../contracts/move.js';
import type { EstateProcess } from '../../estate/estate-process.js';
import type { Export } from '../../estate/compare.js';
import { launchEstate, type LaunchTemporal, type RunningEstate } from '../../estate/launch.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { PATIENCE_MS } from './until.js';

/**
 * How often a group of a test estate closes a point, ms: often enough that even a quick move has
 * some inside.
 */
const POINT_EVERY_MS = 200;
const LOOPBACK = '127.0.0.1';

export interface EstateShape {
  /** Volumes of each group by its id, all on the one splitter `host-1`. */
  readonly groups: Readonly<
    Record<string, { readonly appliance: string; readonly volumes: readonly string[]; readonly volumesMax?: number }>
  >;
  /** Size of each volume. */
  readonly sizeMiB: number;
}

/** An estate with one splitter, on free ports. */
export function estateOf({ groups, sizeMiB }: EstateShape): Estate {
  const free = { host: LOOPBACK, port: 0 };
  const named = Object.entries(groups);
  const input: EstateInput = {
    replicaSite: { control: free },
    appliances: [...new Set(named.map(([, { appliance }]) => appliance))].map((id) => ({
      id: applianceIdSchema.parse(id),
      control: free,
      nbd: free,
    })),
    splitters: [],
    groups: [],
    worker: { health: free },
  };
  return estateSchema.parse({
    ...input,
    splitters: [
      {
        id: 'host-1',
        control: free,
        nbd: free,
        volumes: named.flatMap(([group, { volumes }]) => volumes.map((id) => ({ id, sizeMiB, group }))),
      },
    ],
    groups: named.map(([id, { appliance, volumesMax }]) => ({
      id,
      appliance,
      pointEveryMs: POINT_EVERY_MS,
      ...(volumesMax === undefined ? {} : { volumesMax }),
    })),
  });
}

export interface TestEstateOptions {
  readonly estate: Estate;
  readonly temporal: LaunchTemporal;
  readonly environment?: Readonly<Record<string, string>>;
  /** Called with the estate's folder before anything is started in it. */
  readonly prepare?: (folder: string) => void;
}

export class TestEstate {
  readonly running: RunningEstate;
  /** The folder of everything the estate keeps; removed by `stop`. */
  readonly folder: string;
  readonly ports: Ports;
  readonly client: MoverClient;
  readonly temporal: Client;
  readonly #connection: Connection;

  private constructor(
    running: RunningEstate,
    folder: string,
    connection: Connection,
    namespace: string,
    uiUrl: string | undefined,
  ) {
    this.running = running;
    this.folder = folder;
    this.ports = createHttpPorts(running.estate);
    this.temporal = new Client({ connection, namespace });
    this.#connection = connection;
    this.client = createMoverClient({ estate: running.estate, temporal: { client: this.temporal, uiUrl } });
  }

  /** Starts it with faults that can be injected, and a trace of every numbered write. */
  static async start({ estate, temporal, environment = {}, prepare }: TestEstateOptions): Promise<TestEstate> {
    const folder = await mkdtemp(join(tmpdir(), 'vm-estate-'));
    const log: string[] = [];
    let running: RunningEstate | undefined;
    try {
      prepare?.(folder);
      running = await launchEstate({
        estate,
        dataDirectory: folder,
        temporal,
        environment: { VOLUME_MOVER_FAULTS: '1', VOLUME_MOVER_TRACE: '1', ...environment },
        log: (line) => log.push(line),
      });
      const connection = await Connection.connect({ address: temporal.address });
      return new TestEstate(running, folder, connection, temporal.namespace, temporal.uiUrl);
    } catch (error) {
      await running?.stop();
      await rm(folder, { recursive: true, force: true });
      throw new Error(`The estate did not start:\n${log.join('\n')}`, { cause: error });
    }
  }

  process(id: string): EstateProcess {
    return this.running.process(id);
  }

  appliance(id: string): AppliancePort {
    return applianceOf(this.ports, applianceIdSchema.parse(id));
  }

  splitter(id = 'host-1'): SplitterPort {
    return splitterOf(this.ports, splitterIdSchema.parse(id));
  }

  /** A virtual volume, as guests reach it. */
  async source(volume: string, splitter = 'host-1'): Promise<Export> {
    return { address: await nbdAddressOf(this.process(splitter)), name: volume };
  }

  /**
   * A replica volume at a point, or at the newest applied position. Any appliance serves every
   * volume.
   */
  async image(volume: string, point = 'latest', appliance = 'appliance-1'): Promise<Export> {
    return { address: await nbdAddressOf(this.process(appliance)), name: `${volume}@${point}` };
  }

  /** Moves and waits for the end. @throws the move's own error when it does not end as moved */
  async move(input: MoveInput, options?: StartMoveOptions): Promise<MoveReport> {
    const started = await this.client.moves.start(input, options);
    return await this.reportOf(started);
  }

  /** Waits for the end of a move. @throws the move's own error when it does not end as moved */
  async reportOf({ moveId, workflowId, runId }: StartedMove): Promise<MoveReport> {
    await this.temporal.workflow
      .getHandle(workflowId, runId)
      .result()
      .catch(() => undefined);
    const { report, error, state } = await this.client.moves.get(moveId);
    if (report === undefined) throw error ?? new Error(`The move ended as ${state}.`);
    return report;
  }

  /** Waits until nothing of the volumes is on its way; their guests must have stopped. */
  async quiet(...volumes: readonly string[]): Promise<void> {
    for (const volume of volumes) await waitUntilQuiet(this.client, { volume, timeoutMs: PATIENCE_MS });
  }

  async stop(): Promise<void> {
    await this.client.close();
    await this.#connection.close();
    await this.running.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** An export's NBD URI, for the tools. */
export function uriOf({ address, name }: Export): string {
  return 'path' in address
    ? `nbd+unix:///${name}?socket=${address.path}`
    : `nbd://${address.host}:${address.port}/${name}`;
}
