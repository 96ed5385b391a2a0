// The testbed for history: a Temporal server, and an estate with its worker, as separate processes.
import type { Client } from '@temporalio/client';
import { join } from 'node:path';
import { createHttpPorts } from '../../control/http-ports.js';
import { type AppliancePort, applianceOf } from '../../control/ports.js';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import type { GroupId, PointId, VolumeId } from '../../contracts/ids.js';
import { type MoveReport, moveReportSchema } from '../../contracts/move.js';
import { Cleanup } from '../../control/cleanup.js';
import type { Export } from '../../estate/compare.js';
import { launchEstate, type RunningEstate } from '../../estate/launch.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { DEV_NAMESPACE } from '../../estate/temporal/server.js';
import type { BenchRun } from '../bench.js';
import { startOwnTemporal } from '../own-temporal.js';
import { profiling } from '../profile.js';
import { FIRST_APPLIANCE, historyEstate, RESTING_GROUP, SPLITTER } from './history-estate.js';

export interface Testbed {
  readonly client: MoverClient;
  readonly temporal: Client;
  readonly estate: RunningEstate;
  /** Folder of the estate: each process's data is in a folder named by its id. */
  readonly folder: string;
  /** The version, as the server reports it. */
  readonly server: string;
  /** The export of a volume that its guest uses. */
  readonly source: (volume: VolumeId) => Export;
  /** The export of a volume at a recovery point, or at its newest state. */
  readonly image: (volume: VolumeId, point: PointId | 'latest') => Export;
  /** Moves a volume. @throws Error when the move fails */
  readonly move: (volume: VolumeId, to: GroupId) => Promise<MoveReport>;
  /**
   * Closes a recovery point of the group of resting volumes.
   * @throws Error when the point leaves a volume out
   */
  readonly closePoint: () => Promise<PointId>;
  readonly stop: () => Promise<void>;
}

/** Starts the testbed. @throws Error when a part doesn't start; what was started is then stopped */
export async function openTestbed({ folder, profileFolder, print }: BenchRun): Promise<Testbed> {
  const cleanup = new Cleanup();
  try {
    const server = await startOwnTemporal(print);
    cleanup.add(server.stop);
    const { address, uiUrl, client: temporal } = server;
    const dataDirectory = join(folder, 'estate');
    const estate = await launchEstate({
      estate: historyEstate(),
      dataDirectory,
      temporal: { address, namespace: DEV_NAMESPACE, uiUrl },
      environment: { VOLUME_MOVER_LOG_LEVEL: 'warn', ...profiling(profileFolder, 'history') },
      log: () => undefined,
    });
    cleanup.add(async () => estate.stop());
    const [source, images] = await Promise.all(
      [SPLITTER, FIRST_APPLIANCE].map(async (id) => nbdAddressOf(estate.process(id))),
    );
    if (source === undefined || images === undefined) throw new Error('The estate serves no volumes, or no images.');
    const client = createMoverClient({ estate: estate.estate, temporal: { client: temporal, uiUrl } });
    const restingAppliance = applianceOf(createHttpPorts(estate.estate), FIRST_APPLIANCE);
    return {
      client,
      temporal,
      estate,
      folder: dataDirectory,
      server: server.version,
      source: (volume) => ({ address: source, name: volume }),
      image: (volume, point) => ({ address: images, name: `${volume}@${point}` }),
      move: async (volume, to) => {
        const { workflowId } = await client.moves.start({ volume, to });
        return moveReportSchema.parse(await temporal.workflow.getHandle(workflowId).result());
      },
      closePoint: async () => closePoint(restingAppliance),
      stop: cleanup.run,
    };
  } catch (error) {
    await cleanup.afterFailure();
    throw error;
  }
}

async function closePoint({ calls }: AppliancePort): Promise<PointId> {
  const { id, leftOut } = await calls.closePoint({ group: RESTING_GROUP });
  if (leftOut.length === 0) return id;
  throw new Error(`Point ${id} leaves out ${leftOut.map(({ volume, reason }) => `${volume} (${reason})`).join(', ')}.`);
}
