// The product: splitter, appliance and replica site as separate processes, with one volume,
// protected or not.
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { type Estate, estateSchema } from '../../contracts/estate.js';
import { compareExports } from '../../estate/compare.js';
import { launchEstate, type RunningEstate } from '../../estate/launch.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { profiling } from '../profile.js';
import { nbdUri } from './socket.js';
import { NOTHING_BEHIND, type RunningSubject, type SecondCopy, type SubjectOptions, type Subject } from './subject.js';

const VOLUME = 'disk';
const GROUP = 'cg-bench';
const SPLITTER = 'host-1';
const APPLIANCE = 'appliance-1';
const MIB = 1024 * 1024;
const ANY_PORT = { port: 0 };

export const protectedVolume: Subject = {
  name: 'protected',
  what: 'our volume, protected: splitter, appliance and replica site (DO, UNDO, replica volume); two copies and a journal',
  async start(options) {
    const estate = await launch(options, {});
    const client = createMoverClient({ estate: estate.estate });
    return await running(
      estate,
      async () => secondCopy(client),
      async () => proveSame(estate),
    );
  },
};

export const unprotectedVolume: Subject = {
  name: 'unprotected',
  what: 'our volume without protection (VOLUME_MOVER_UNPROTECTED=1); one copy',
  async start(options) {
    const estate = await launch(options, { VOLUME_MOVER_UNPROTECTED: '1' });
    return await running(
      estate,
      async () => NOTHING_BEHIND,
      async () => undefined,
    );
  },
};

async function launch(
  { folder, sizeBytes, profileFolder }: SubjectOptions,
  environment: Record<string, string>,
): Promise<RunningEstate> {
  const part = environment['VOLUME_MOVER_UNPROTECTED'] === undefined ? 'protected' : 'unprotected';
  return await launchEstate({
    estate: estateOf(sizeBytes / MIB),
    dataDirectory: folder,
    environment: { VOLUME_MOVER_LOG_LEVEL: 'warn', ...environment, ...profiling(profileFolder, part) },
    log: () => undefined,
  });
}

function estateOf(sizeMiB: number): Estate {
  return estateSchema.parse({
    temporal: { port: 0, uiPort: 0 },
    replicaSite: { control: ANY_PORT },
    appliances: [{ id: APPLIANCE, control: ANY_PORT, nbd: ANY_PORT }],
    splitters: [{ id: SPLITTER, control: ANY_PORT, nbd: ANY_PORT, volumes: [{ id: VOLUME, sizeMiB, group: GROUP }] }],
    groups: [{ id: GROUP, appliance: APPLIANCE }],
    worker: { health: ANY_PORT },
  });
}

async function running(
  estate: RunningEstate,
  copy: RunningSubject['secondCopy'],
  prove: () => Promise<void>,
): Promise<RunningSubject> {
  const address = await nbdAddressOf(estate.process(SPLITTER));
  if (!('path' in address)) throw new Error('The splitter serves no unix socket: its path would be too long here.');
  return {
    uri: nbdUri(address.path, VOLUME),
    processes: new Map(estate.processes.flatMap(({ id, pid }) => (pid === undefined ? [] : [[id, pid] as const]))),
    secondCopy: async () => Promise.race([copy(), estate.failed]),
    prove,
    stop: async () => estate.stop(),
  };
}

/** The state of the replica volume: it is behind by acknowledged bytes that it lacks. */
async function secondCopy(client: MoverClient): Promise<SecondCopy> {
  const [volume] = await client.volumes.list();
  const view = volume?.splitterView;
  if (volume === undefined || view === undefined) throw new Error('The splitter does not answer.');
  return {
    behindBytes: view.unconfirmedBytes + volume.undistributedBytes,
    inOrder: view.mode === 'SYNCED',
    resentBytes: view.resentBytes,
  };
}

/**
 * Checks that source and replica volume are equal. Call it once the volume is quiet.
 * @throws Error when they differ
 */
async function proveSame(estate: RunningEstate): Promise<void> {
  const source = { address: await nbdAddressOf(estate.process(SPLITTER)), name: VOLUME };
  const replica = { address: await nbdAddressOf(estate.process(APPLIANCE)), name: `${VOLUME}@latest` };
  const { differentBytes } = await compareExports(source, replica);
  if (differentBytes > 0) throw new Error(`Replica and source differ in ${differentBytes} bytes.`);
}
