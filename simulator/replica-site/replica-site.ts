// The replica site as one process: rows, journals, streams and the control API put together.
import { join } from 'node:path';
import type { Logger } from 'pino';
import { replicaSiteApi } from '../../contracts/replica-site-api.js';
import { REPLICA_SITE_DESCRIPTION } from '../control/descriptions.js';
import { imageReadRoute } from '../control/image-read.js';
import { createControlServer } from '../control/server.js';
import type { ProcessConfig } from '../process/config.js';
import type { RunningProcess } from '../process/run-process.js';
import { openRowStore } from '../store/row-store.js';
import { streamUpgrade } from '../stream/accept.js';
import { replicaSiteCalls } from './calls.js';
import { openReports } from './reports/reports.js';
import { followEstate } from './core/from-estate.js';
import { knownPositions } from './core/known-positions.js';
import { mendHolesOf } from './core/records.js';
import { SiteState, TABLE_NAMES } from './core/state.js';
import { damageNotes, unusableNote } from './damage-words.js';
import { Durability } from './durability.js';
import { Images, type ImageLimits } from './images.js';
import { Intakes } from './intake/intakes.js';
import { IntakeStream } from './intake/intake-stream.js';
import { UNAPPLIED_BYTES_MAX } from './intake/limits.js';
import { Journals } from './journals.js';
import { Retention, RETENTION_EVERY_MS, SETTLED_AFTER_MS } from './retention.js';
import { Site } from './site.js';
import { storedRows } from './stored-rows.js';
import { warmUp } from './warm-up.js';

export type ReplicaSiteConfig = Pick<ProcessConfig, 'id' | 'estate' | 'dataFolder' | 'token' | 'sync'>;

export interface ReplicaSiteLimits extends ImageLimits {
  readonly unappliedBytesMax?: number | undefined;
  readonly retentionEveryMs?: number | undefined;
  readonly settledAfterMs?: number | undefined;
}

/** Serves until stopped. @throws when the address can't be listened on or what is stored can't be read. */
export async function startReplicaSite(
  config: ReplicaSiteConfig,
  log: Logger,
  limits: ReplicaSiteLimits = {},
): Promise<RunningProcess> {
  const { id, estate, dataFolder, token, sync } = config;
  const store = openRowStore({ directory: join(dataFolder, 'rows'), tables: TABLE_NAMES, sync });
  const reports = openReports({ directory: join(dataFolder, 'reports'), sync });
  const durability = new Durability();
  // The rules ask the journals, and the journals tell the rules when they are opened: neither can be made first.
  const journals: Journals = new Journals({
    directory: join(dataFolder, 'volumes'),
    sync,
    sizeOf: (volume) => site.state.volume(volume).sizeBytes,
    knownPosition: (volume) => known.get(volume) ?? 0,
    events: {
      onOpened: (volume) => {
        site.state.accepted.delete(volume);
        site.change((state) => mendHolesOf(state, volume));
      },
      onDurable: (volume, durable) => {
        intakes.durable(volume, durable);
        durability.durable(volume);
      },
      onApplied: (volume) => intakes.applied(volume),
      onFailed: (volume, error) => {
        log.error({ err: error, volume }, 'a journal failed');
        intakes.failed(volume, error);
      },
    },
    log,
  });
  const site: Site = new Site(new SiteState(storedRows(store), journals), store);
  const known = knownPositions(site.state);
  const intakes: Intakes = new Intakes({
    site,
    journals,
    unappliedBytesMax: limits.unappliedBytesMax ?? UNAPPLIED_BYTES_MAX,
  });
  for (const contradiction of site.change((state, nowMs) => followEstate(state, estate, nowMs)))
    log.warn(contradiction);

  const images = new Images({ site, journals, log, ...limits });
  const server = createControlServer({
    ...REPLICA_SITE_DESCRIPTION,
    api: replicaSiteApi,
    handlers: replicaSiteCalls({ site, journals, durability, images, reports }),
    role: 'replica-site',
    id,
    listen: estate.replicaSite.control,
    token,
    health: () => ({
      notes: [
        ...[...journals.unusable].map(([volume, cause]) => unusableNote(volume, cause)),
        ...[...journals.open].flatMap(([volume, journal]) => damageNotes(volume, journal)),
        ...images.warnings,
        ...[...site.state.groups.values()].flatMap(({ journal }) => journal.alert?.message ?? []),
      ],
    }),
    log,
    binaryRoutes: [imageReadRoute(async ({ image, offset, length }) => images.read(image, offset, length))],
    onUpgrade: streamUpgrade({
      token,
      onStream: (connection) => new IntakeStream({ connection, intakes, log }).start(),
    }),
  });
  const retention = new Retention({
    site,
    journals,
    inUse: () => images.points,
    everyMs: limits.retentionEveryMs ?? RETENTION_EVERY_MS,
    settledAfterMs: limits.settledAfterMs ?? SETTLED_AFTER_MS,
    log,
  });
  const stopping = new AbortController();
  let warming: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    stopping.abort();
    await server.stop();
    images.stop();
    await Promise.all([retention.stop(), warming]);
    await journals.close();
    await Promise.all([store.close(), reports.close()]);
  };
  try {
    const { url } = await server.start();
    const volumes = [...site.state.volumes.values()].map((row) => row.volume);
    warming = warmUp(journals, volumes, stopping.signal);
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
