// A small estate of real processes on free ports, with a Temporal server of its own: its worker
// shares its task queue with nobody.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Estate, type EstateInput, estateSchema } from '../../contracts/estate.js';
import { launchEstate, type RunningEstate } from '../../estate/launch.js';
import { openTemporal } from '../../estate/temporal/open.js';
import { FORGETS_SOON } from '../support/forget-workflow.js';

const PORT = { port: 0 };
const SIZE_MIB = 8;

const SMALL_ESTATE: EstateInput = {
  replicaSite: { control: PORT },
  appliances: [
    { id: 'appliance-1', control: PORT, nbd: PORT },
    { id: 'appliance-2', control: PORT, nbd: PORT },
  ],
  splitters: [
    {
      id: 'host-1',
      control: PORT,
      nbd: PORT,
      volumes: [
        { id: 'vm-1-disk-0', sizeMiB: SIZE_MIB, group: 'cg-gold', vm: 'vm-1', labels: { app: 'shop' } },
        { id: 'vm-1-disk-1', sizeMiB: SIZE_MIB, group: 'cg-gold', vm: 'vm-1' },
        { id: 'vm-2-disk-0', sizeMiB: SIZE_MIB, group: 'cg-silver' },
      ],
    },
  ],
  groups: [
    { id: 'cg-gold', appliance: 'appliance-1', pointEveryMs: 500 },
    { id: 'cg-silver', appliance: 'appliance-2', pointEveryMs: 500 },
  ],
  worker: { health: PORT },
};

export interface EstateFixture {
  readonly running: RunningEstate;
  readonly folder: string;
  /** Empty without a worker. */
  readonly temporalAddress: string;
  /** Stops everything that runs and removes the folder. */
  readonly stop: () => Promise<void>;
}

export function smallEstate(): Estate {
  return estateSchema.parse(SMALL_ESTATE);
}

/** Starts an estate: with a worker and Temporal, or the data path alone. */
export async function startEstate({
  withWorker,
  environment = {},
  estate = smallEstate(),
  environmentFor,
}: {
  readonly withWorker: boolean;
  /** Variables of every process, on top of its own. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly estate?: Estate;
  /** Variables of one process alone, by its id. */
  readonly environmentFor?: (id: string) => Readonly<Record<string, string>>;
}): Promise<EstateFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'estate-'));
  const { TEMPORAL_ADDRESS: _address, TEMPORAL_PROFILE: _profile, ...env } = process.env;
  const temporal = withWorker
    ? await openTemporal({ env, log: () => undefined, dynamicConfig: FORGETS_SOON })
    : undefined;
  const cleanUp = async (): Promise<void> => {
    await temporal?.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const running = await launchEstate({
      estate,
      ...(environmentFor === undefined ? {} : { environmentFor }),
      dataDirectory: folder,
      temporal,
      environment: { VOLUME_MOVER_FAULTS: '1', ...environment },
      log: () => undefined,
    });
    const stop = async (): Promise<void> => {
      await running.stop();
      await cleanUp();
    };
    return { running, folder, temporalAddress: temporal?.address ?? '', stop };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}
