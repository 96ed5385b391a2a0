// The testbed for batches: a Temporal server, an estate of a given number of volumes with its
// worker, and the peer's worker.
import type { Client } from '@temporalio/client';
import { join } from 'node:path';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { Cleanup } from '../../control/cleanup.js';
import type { EstateProcess } from '../../estate/estate-process.js';
import { DEV_NAMESPACE, type TemporalDevServer } from '../../estate/temporal/server.js';
import type { BenchRun } from '../bench.js';
import type { Work } from '../moves/work.js';
import { noopWork, peerWorker } from '../moves/peer.js';
import { startOwnTemporal } from '../own-temporal.js';
import { profiling } from '../profile.js';
import { type BatchEstate, batchEstate, warmUpVolumesOf } from './batch-estate.js';
import { type IdleEstate, launchIdleEstate } from './idle-estate.js';

export interface Testbed extends Omit<BatchEstate, 'estate'> {
  readonly warmUpVolumes: number;
  readonly mover: MoverClient;
  readonly temporal: Client;
  /** Runs one workflow of five no-op activities. */
  readonly noop: Work;
  /** The estate's costs before it was used. */
  readonly idle: Omit<IdleEstate, 'running'>;
  /** Process ids, keyed by process name. */
  readonly processes: ReadonlyMap<string, number>;
  /** The version, as the server reports it. */
  readonly server: string;
  readonly stop: () => Promise<void>;
}

/** Starts the testbed. @throws Error when a part doesn't start; what was started is then stopped */
export async function openTestbed(volumes: number, { folder, profileFolder, print }: BenchRun): Promise<Testbed> {
  const cleanup = new Cleanup();
  const part = `batch-${volumes}`;
  try {
    const temporal = await startOwnTemporal(print);
    cleanup.add(temporal.stop);
    const { address, uiUrl } = temporal;
    const environment = { VOLUME_MOVER_LOG_LEVEL: 'warn', ...profiling(profileFolder, part) };
    const warmUpVolumes = warmUpVolumesOf(volumes);
    const { estate, ...groups } = batchEstate(volumes, warmUpVolumes);
    const { running, ...idle } = await launchIdleEstate({
      estate,
      dataDirectory: join(folder, part),
      temporal: { address, namespace: DEV_NAMESPACE, uiUrl },
      environment,
    });
    cleanup.add(async () => running.stop());
    const peer = peerWorker(join(folder, part), { ...process.env, ...environment, TEMPORAL_ADDRESS: address });
    cleanup.add(async () => peer.stop());
    await peer.start();
    const { client } = temporal;
    return {
      ...groups,
      warmUpVolumes,
      mover: createMoverClient({ estate: running.estate, temporal: { client, uiUrl } }),
      temporal: client,
      noop: noopWork(client),
      idle,
      processes: processesOf([...running.processes, peer], temporal),
      server: temporal.version,
      stop: cleanup.run,
    };
  } catch (error) {
    await cleanup.afterFailure();
    throw error;
  }
}

function processesOf(started: readonly EstateProcess[], temporal: TemporalDevServer): Map<string, number> {
  const known = started.flatMap(({ id, pid }) => (pid === undefined ? [] : [[id, pid] as const]));
  return new Map([['temporal', temporal.processId], ...known, ['driver', process.pid]]);
}
