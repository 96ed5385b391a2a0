// A splitter of a world whose other parts run: it protects the world's volumes through the first
// appliance.
import { join } from 'node:path';
import { pino } from 'pino';
import type { VolumeId } from '../../contracts/ids.js';
import type { Calls } from '../../contracts/route.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import { createApiClient } from '../../control/client.js';
import { connectNbd } from '../../nbd/client.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { DEFAULT_SPLITTER_LIMITS } from '../../simulator/splitter/limits.js';
import { startSplitter } from '../../simulator/splitter/splitter.js';
import { type RunningAppliance, S1, type SiteWorld, V1 } from './replica-site-fixture.js';

export interface RunningSplitter {
  readonly control: Calls<typeof splitterApi>;
  readonly stop: () => Promise<void>;
  /** A new connection of a guest, to V1 unless another volume is given. */
  readonly guest: (volume?: VolumeId) => Promise<NbdClient>;
}

export async function splitterOn(world: SiteWorld, appliance: RunningAppliance): Promise<RunningSplitter> {
  const { estate } = world;
  const appliances = estate.appliances.map((entry) =>
    entry.id === 'a1' ? { ...entry, control: { ...entry.control, url: appliance.url } } : entry,
  );
  const { stop, url, nbd } = await startSplitter({
    id: S1,
    estate: { ...estate, appliances },
    dataFolder: join(world.folder, S1),
    sync: false,
    trace: false,
    limits: DEFAULT_SPLITTER_LIMITS,
    unprotected: false,
    log: pino({ level: 'silent' }),
  });
  world.onStop(stop);
  return {
    control: createApiClient(splitterApi, { baseUrl: url }),
    stop,
    guest: async (volume = V1) => {
      const client = await connectNbd(nbd.socket === undefined ? nbd : { path: nbd.socket }, volume);
      world.onStop(async () => client.disconnect());
      return client;
    },
  };
}
