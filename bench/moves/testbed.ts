// The testbed for moves: a Temporal server, an estate with its worker, and the peer's worker.
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

export interface Testbed {
  /** Moves one volume that nobody else moves. */
  readonly move: Work;
  /** Runs one workflow of five no-op activities. */
  readonly noop: Work;
  /** Process ids, keyed by process name. */
  readonly processes: ReadonlyMap<string, number>;
  /** The version, as the server reports it. */
  readonly server: string;
  readonly stop: () => Promise<void>;
}

/** Starts the testbed. @throws Error when a part doesn't start; what was started is then stopped */
export async function openTestbed({ folder, profileFolder, print }: BenchRun): Promise<Testbed> {
  const cleanup = new Cleanup();
  try {
    const temporal = await startOwnTemporal(print);
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

/** Moves volumes in turn, so that each rests as long as possible between two moves. */
function moveWork(estate: RunningEstate, client: Client): Work {
  const mover = createMoverClient({ estate: estate.estate, temporal: { client, uiUrl: undefined } });
  const idle = Array.from({ length: VOLUMES }, (_, i): IdleVolume => ({ name: volumeName(i), group: firstGroup(i) }));
  return async () => {
    const volume = idle.shift();
    if (volume === undefined) throw new Error(`More than ${VOLUMES} moves at once.`);
    const target = volume.group === GROUPS[0] ? GROUPS[1] : GROUPS[0];
    const { workflowId } = await mover.moves.start({
      volume: volumeIdSchema.parse(volume.name),
      to: groupIdSchema.parse(target),
    });
    await client.workflow.getHandle(workflowId).result();
    idle.push({ name: volume.name, group: target });
  };
}
