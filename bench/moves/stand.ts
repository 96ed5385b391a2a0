// What moves are measured on: a Temporal server, an estate with its worker, and the peer's worker
// beside it.
import type { Client } from '@temporalio/client';
import { join } from 'node:path';
import { createMoverClient } from '../../client/sdk.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { Cleanup } from '../../control/cleanup.js';
import type { EstateProcess } from '../../estate/estate-process.js';
import { launchEstate, type RunningEstate } from '../../estate/launch.js';
import { DEV_NAMESPACE, type TemporalDevServer } from '../../estate/temporal/server.js';
import type { BenchRun } from '../bench.js';
import { startOwnTemporal } from '../own-temporal.js';
import { profiling } from '../profile.js';
import type { Work } from './work.js';
import { benchEstate, firstGroup, type GroupName, GROUPS, volumeName, VOLUMES } from './bench-estate.js';
import { noopWork, peerWorker } from './peer.js';

export interface Stand {
  /** One move of a volume that nobody else moves. */
  readonly move: Work;
  /** One workflow of five no-op activities. */
  readonly noop: Work;
  /** By the name of the process: its id. */
  readonly processes: ReadonlyMap<string, number>;
  /** The server's own words about its version. */
  readonly server: string;
  readonly stop: () => Promise<void>;
}

/** @throws Error when anything does not start; what was started is stopped again */
export async function openStand({ folder, profileFolder, say }: BenchRun): Promise<Stand> {
  const cleanup = new Cleanup();
  try {
    const temporal = await startOwnTemporal(say);
    cleanup.add(temporal.stop);
    const { address } = temporal;
    const environment = { VOLUME_MOVER_LOG_LEVEL: 'warn', ...profiling(profileFolder, 'moves') };
    const estate = await launchEstate({
      estate: benchEstate(),
      dataDirectory: join(folder, 'estate'),
      temporal: { address, namespace: DEV_NAMESPACE, uiUrl: temporal.uiUrl },
      environment,
      log: () => undefined,
    });
    cleanup.add(async () => estate.stop());
    const peer = peerWorker(folder, { ...process.env, ...environment, TEMPORAL_ADDRESS: address });
    cleanup.add(async () => peer.stop());
    await peer.start();
    const { client } = temporal;
    return {
      move: moveWork(estate, client),
      noop: noopWork(client),
      processes: processesOf(estate, peer, temporal),
      server: temporal.version,
      stop: cleanup.run,
    };
  } catch (error) {
    await cleanup.afterFailure();
    throw error;
  }
}

function processesOf(estate: RunningEstate, peer: EstateProcess, temporal: TemporalDevServer): Map<string, number> {
  const started = [...estate.processes, peer].flatMap(({ id, pid }) => (pid === undefined ? [] : [[id, pid] as const]));
  return new Map([['temporal', temporal.processId], ...started, ['driver', process.pid]]);
}

interface IdleVolume {
  readonly name: string;
  readonly group: GroupName;
}

/** Volumes wait in line, so that each rests as long as possible between two moves. */
function moveWork(estate: RunningEstate, client: Client): Work {
  const mover = createMoverClient({ estate: estate.estate, temporal: { client, uiUrl: undefined } });
  const idle = Array.from({ length: VOLUMES }, (_, i): IdleVolume => ({ name: volumeName(i), group: firstGroup(i) }));
  return async () => {
    const volume = idle.shift();
    if (volume === undefined) throw new Error(`More than ${VOLUMES} moves at once.`);
    const target = volume.group === GROUPS[0] ? GROUPS[1] : GROUPS[0];
    const { workflowId } = await mover.startMove({
      volume: volumeIdSchema.parse(volume.name),
      to: groupIdSchema.parse(target),
    });
    await client.workflow.getHandle(workflowId).result();
    idle.push({ name: volume.name, group: target });
  };
}
