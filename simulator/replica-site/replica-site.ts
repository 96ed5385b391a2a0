// The replica site as one process: rows, journals, streams and the control API put together.
import { join } from 'node:path';
import type { Logger } from 'pino';
import { replicaSiteApi } from '../../contracts/replica-site-api.js';
import { AUDIT_FOLDER, AuditLog } from '../control-server/audit/audit-log.js';
import { REPLICA_SITE_DESCRIPTION } from '../control-server/descriptions.js';
import { imageReadRoute } from '../control-server/image-read.js';
import { createControlServer } from '../control-server/server.js';
import { ProcessClock } from '../../control/clock/process-clock.js';
import { freeBytes } from '../disk/free-room.js';
import type { ProcessConfig } from '../process/config.js';
import type { RunningProcess } from '../process/run-process.js';
import { streamUpgrade } from '../stream/accept.js';
import { replicaSiteCalls } from './calls/calls.js';
import { damageNotes } from './damage-text.js';
import { EstateFollower } from './estate-follower.js';
import { Images, type ImageLimits } from './images.js';
import { IntakeStream } from './intake/intake-stream.js';
import { UNAPPLIED_BYTES_MAX } from './intake/limits.js';
import { siteMetrics } from './metrics.js';
import { rebuild } from './rebuild.js';
import { RecoveryAges } from './recovery-ages.js';
import { Retention, RETENTION_EVERY_MS, SETTLED_AFTER_MS } from './retention.js';
import { createSiteParts, type SiteParts } from './site-parts.js';
import { closeSiteStorage, openSiteStorage, type SiteStorage } from './site-storage.js';
import { storageNotes } from './storage-notes.js';
import { warmUp } from './warm-up.js';

export type ReplicaSiteConfig = Pick<
  ProcessConfig,
  'id' | 'estate' | 'dataFolder' | 'access' | 'auditLimits' | 'sync' | 'clockAgreesAfterMs'
> &
  Partial<Pick<ProcessConfig, 'faults'>>;

export interface ReplicaSiteLimits extends ImageLimits {
  readonly unappliedBytesMax?: number | undefined;
  readonly retentionEveryMs?: number | undefined;
  readonly settledAfterMs?: number | undefined;
  readonly verdictKeptMs?: number | undefined;
}

/** Everything of a replica site but its control server. */
interface ReplicaSite extends SiteParts {
  readonly storage: SiteStorage;
  readonly clock: ProcessClock;
  readonly follower: EstateFollower;
  readonly images: Images;
  readonly ages: RecoveryAges;
}

/**
 * Starts a replica site, which serves until it is stopped.
 * @throws if the address can't be listened on, or stored rows can't be read.
 */
export async function startReplicaSite(
  config: ReplicaSiteConfig,
  log: Logger,
  limits: ReplicaSiteLimits = {},
): Promise<RunningProcess> {
  const parts = createReplicaSite(config, log, limits);
  const { storage, clock, follower, site, journals, images, doubts } = parts;
  const server = createServer(parts, config, log);
  const retention = new Retention({
    site,
    journals,
    inUse: () => images.points,
    reserve: storage.reserve,
    everyMs: limits.retentionEveryMs ?? RETENTION_EVERY_MS,
    settledAfterMs: limits.settledAfterMs ?? SETTLED_AFTER_MS,
    verdictKeptMs: limits.verdictKeptMs,
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
    await closeSiteStorage(storage);
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

function createReplicaSite(config: ReplicaSiteConfig, log: Logger, limits: ReplicaSiteLimits): ReplicaSite {
  const { id, estate, dataFolder, sync, clockAgreesAfterMs } = config;
  const clock = new ProcessClock({ process: `replica site ${id}`, agreesAfterMs: clockAgreesAfterMs, log });
  const storage = openSiteStorage(dataFolder, sync);
  const unappliedBytesMax = limits.unappliedBytesMax ?? UNAPPLIED_BYTES_MAX;
  const parts = createSiteParts({ storage, groups: estate.groups, clock, unappliedBytesMax, log });
  const { site, journals } = parts;
  const follower = new EstateFollower(site, estate, log);
  follower.follow();
  const images = new Images({ site, journals, log, ...limits });
  return { ...parts, storage, clock, follower, images, ages: new RecoveryAges(site) };
}

function createServer(
  parts: ReplicaSite,
  { id, estate, dataFolder, access, auditLimits, faults = false }: ReplicaSiteConfig,
  log: Logger,
): ReturnType<typeof createControlServer> {
  const { storage, clock, site, journals, intakes, durability, images, ages } = parts;
  return createControlServer({
    ...REPLICA_SITE_DESCRIPTION,
    api: replicaSiteApi,
    handlers: replicaSiteCalls({
      site,
      journals,
      durability,
      images,
      reports: storage.reports,
      rebuild: async (input) => rebuild({ site, journals, intakes, log }, input),
      isStalled: (volume) => intakes.isStalled(volume),
      onClosed: (point) => ages.closed(point),
      faults,
    }),
    id,
    listen: estate.replicaSite.control,
    access,
    metrics: siteMetrics({
      site,
      ages,
      journals,
      openImages: () => images.count,
      freeBytes: () => freeBytes(storage.volumesFolder),
    }),
    audit: new AuditLog({
      folder: join(dataFolder, AUDIT_FOLDER),
      process: `replica site ${id}`,
      clock,
      limits: auditLimits,
    }),
    clock,
    health: () => ({ notes: healthNotes(parts) }),
    log,
    binaryRoutes: [imageReadRoute(async ({ image, offset, length }) => images.read(image, offset, length))],
    onUpgrade: streamUpgrade({
      onStream: (connection) => new IntakeStream({ connection, intakes, log }).start(),
    }),
  });
}

/** Sentences about all that is wrong or near a limit. */
function healthNotes({ storage, clock, follower, site, journals, intakes, images, ages }: ReplicaSite): string[] {
  const { rowsFolder, volumesFolder, store, reports } = storage;
  return [
    ...clock.notes,
    ...site.state.unreadable,
    ...storageNotes({ site, rowsFolder, volumesFolder, journals, freeBytes }),
    // `storageNotes` tells already of rows that can't be stored.
    ...(store.note === undefined || site.failure !== undefined ? [] : [store.note]),
    ...(reports.note === undefined ? [] : [reports.note]),
    ...[...journals.open].flatMap(([volume, journal]) => damageNotes(volume, journal)),
    ...follower.notes,
    ...intakes.notes,
    ...images.warnings,
    ...ages.notes,
    ...[...site.state.groups.values()].flatMap(({ journal }) => journal.alert?.message ?? []),
  ];
}
