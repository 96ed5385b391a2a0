// The replica site as one process: rows, journals, streams and the control API put together.
import { join } from 'node:path';
import type { Logger } from 'pino';
import { replicaSiteApi } from '../../contracts/replica-site-api.js';
import { REPLICA_SITE_DESCRIPTION } from '../control-server/descriptions.js';
import { imageReadRoute } from '../control-server/image-read.js';
import { createControlServer } from '../control-server/server.js';
import { ProcessClock } from '../../control/clock/process-clock.js';
import type { ProcessConfig } from '../process/config.js';
import type { RunningProcess } from '../process/run-process.js';
import { syncFolderNames } from '../disk/folder-names.js';
import { openRowStore } from '../store/row-store.js';
import { streamUpgrade } from '../stream/accept.js';
import { replicaSiteCalls } from './calls.js';
import { openReports } from './reports/reports.js';
import { knownPositions } from './core/known-positions.js';
import { mendHolesOf } from './core/records.js';
import { SiteState, TABLE_NAMES } from './core/state.js';
import { damageNotes } from './damage-words.js';
import { MoverError } from '../../contracts/errors.js';
import { freeBytes } from '../disk/free-room.js';
import { RoomReserve } from '../disk/room-reserve.js';
import { Durability } from './durability.js';
import { EstateFollower } from './estate-follower.js';
import { Images, type ImageLimits } from './images.js';
import { Intakes } from './intake/intakes.js';
import { IntakeStream } from './intake/intake-stream.js';
import { UNAPPLIED_BYTES_MAX } from './intake/limits.js';
import { Journals } from './journals.js';
import { rebuild } from './rebuild.js';
import { ReplicaDoubts } from './replica-doubts.js';
import { Retention, RETENTION_EVERY_MS, SETTLED_AFTER_MS } from './retention.js';
import { Site } from './site.js';
import { storageNotes } from './storage-notes.js';
import { storedRows } from './stored-rows.js';
import { warmUp } from './warm-up.js';

export type ReplicaSiteConfig = Pick<
  ProcessConfig,
  'id' | 'estate' | 'dataFolder' | 'token' | 'sync' | 'clockAgreesAfterMs'
> &
  Partial<Pick<ProcessConfig, 'faults'>>;

export interface ReplicaSiteLimits extends ImageLimits {
  readonly unappliedBytesMax?: number | undefined;
  readonly retentionEveryMs?: number | undefined;
  readonly settledAfterMs?: number | undefined;
}

/**
 * Serves until stopped.
 * @throws when the address can't be listened on or what is stored can't be read.
 */
export async function startReplicaSite(
  config: ReplicaSiteConfig,
  log: Logger,
  limits: ReplicaSiteLimits = {},
): Promise<RunningProcess> {
  const { id, estate, dataFolder, token, sync, clockAgreesAfterMs, faults = false } = config;
  const clock = new ProcessClock({ process: `replica site ${id}`, agreesAfterMs: clockAgreesAfterMs, log });
  const rowsFolder = join(dataFolder, 'rows');
  const volumesFolder = join(dataFolder, 'volumes');
  const store = openRowStore({ directory: rowsFolder, tables: TABLE_NAMES, sync });
  const reports = openReports({ directory: join(dataFolder, 'reports'), sync });
  const reserve = new RoomReserve(join(dataFolder, 'reserve'), dataFolder);
  const durability = new Durability();
  // The rules ask the journals, and the journals tell the rules when they are opened: neither can
  // be made first.
  const journals: Journals = new Journals({
    directory: volumesFolder,
    sync,
    reserve,
    sizeOf: (volume) => site.state.volume(volume).sizeBytes,
    knownPosition: (volume) => known.get(volume) ?? 0,
    events: {
      onOpened: (volume) => {
        site.state.forgetAccepted(volume);
        try {
          site.change((state) => mendHolesOf(state, volume));
        } catch (error) {
          // It must be before a record is taken, and is tried again then.
          if (!(error instanceof MoverError)) throw error;
          log.warn({ volume, code: error.code, reason: error.message }, 'holes could not be mended yet');
        }
      },
      onDurable: (volume, durable) => {
        intakes.durable(volume, durable);
        durability.durable(volume);
      },
      onApplied: (volume) => intakes.applied(volume),
      onStalled: (volume, part, error) => {
        if (part === 'intake') intakes.stalled(volume, error);
      },
      onReplicaDamaged: (volume) => doubts.found(volume),
      onRebuild: (volume, error) => intakes.rebuilding(volume, error),
      onFailed: (volume, error) => {
        log.error({ err: error, volume }, 'a journal failed');
        intakes.failed(volume, error);
      },
    },
    log,
  });
  if (sync) syncFolderNames(dataFolder);
  const site: Site = new Site(new SiteState(storedRows(store, estate.groups), journals), store, clock);
  for (const sentence of site.state.unreadable) log.error(sentence);
  const known = knownPositions(site.state);
  const intakes: Intakes = new Intakes({
    site,
    journals,
    unappliedBytesMax: limits.unappliedBytesMax ?? UNAPPLIED_BYTES_MAX,
    freeBytes: () => freeBytes(dataFolder),
    onInitialized: (volume, position) => doubts.initialized(volume, position),
  });
  const doubts: ReplicaDoubts = new ReplicaDoubts({ site, journals, intakes, log });
  const follower = new EstateFollower(site, estate, log);
  follower.follow();

  const images = new Images({ site, journals, log, ...limits });
  const server = createControlServer({
    ...REPLICA_SITE_DESCRIPTION,
    api: replicaSiteApi,
    handlers: replicaSiteCalls({
      site,
      journals,
      durability,
      images,
      reports,
      rebuild: async (input) => rebuild({ site, journals, intakes, log }, input),
      isStalled: (volume) => intakes.isStalled(volume),
      faults,
    }),
    id,
    listen: estate.replicaSite.control,
    token,
    clock,
    health: () => ({
      notes: [
        ...clock.notes,
        ...site.state.unreadable,
        ...storageNotes({ site, rowsFolder, volumesFolder, journals, freeBytes }),
        // Rows that can't be stored are told of above.
        ...(store.note === undefined || site.failure !== undefined ? [] : [store.note]),
        ...(reports.note === undefined ? [] : [reports.note]),
        ...[...journals.open].flatMap(([volume, journal]) => damageNotes(volume, journal)),
        ...(follower.note === undefined ? [] : [follower.note]),
        ...intakes.notes,
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
    reserve,
    everyMs: limits.retentionEveryMs ?? RETENTION_EVERY_MS,
    settledAfterMs: limits.settledAfterMs ?? SETTLED_AFTER_MS,
    log,
  });
  const stopping = new AbortController();
  let warming: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    stopping.abort();
    clock.stop();
    follower.stop();
    await server.stop();
    images.stop();
    doubts.stop();
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
