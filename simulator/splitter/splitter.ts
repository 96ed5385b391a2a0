// Starts a splitter: store, volumes, control API, streams and NBD. Each starts once the parts it
// relies on are up.
import { join } from 'node:path';
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import type { Estate } from '../../contracts/estate.js';
import { type SplitterId, splitterIdSchema, type VolumeId } from '../../contracts/ids.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import { Cleanup } from '../../control/cleanup.js';
import { ProcessClock } from '../../control/clock/process-clock.js';
import type { NbdAddress } from '../../nbd/address.js';
import type { BlockDevice } from '../../nbd/block-device.js';
import { createNbdServer } from '../../nbd/server.js';
import { AUDIT_FOLDER, AuditLog } from '../control-server/audit/audit-log.js';
import { SPLITTER_DESCRIPTION } from '../control-server/descriptions.js';
import { createControlServer } from '../control-server/server.js';
import { syncFolderNames } from '../disk/folder-names.js';
import type { ProcessConfig } from '../process/config.js';
import type { ReadyLine } from '../process/ready-line.js';
import { nbdCertificates } from '../process/nbd-certificates.js';
import { openRowStore, type RowStore } from '../store/row-store.js';
import { isOutOfRoom } from '../store/storage-failure.js';
import { exportsOf } from './exports.js';
import { type VolumeFiles, volumeFilesIn } from './files/volume-files.js';
import type { SplitterLimits } from './limits.js';
import { CONFIRMED_TABLE } from './marks/confirmations.js';
import { describeNbd, nbdAddresses } from './nbd-listen.js';
import { Protection } from './protection.js';
import { SOURCES_TABLE } from './source/source-checks.js';
import { META_TABLE, Sessions } from './streams/sessions.js';
import { openUnprotected } from './volume/unprotected-device.js';
import { type VolumeRows, volumeRows } from './volume-rows.js';

const UNPROTECTED =
  'The volumes are served without protection: no write reaches the replica site. To protect them, start the splitter without VOLUME_MOVER_UNPROTECTED=1; each volume is then compared and sent anew.';

export interface SplitterConfig extends Omit<ProcessConfig, 'role' | 'logLevel' | 'faults' | 'estateFile'> {
  readonly limits: SplitterLimits;
  /** Serves the volumes without marks, queue and streams, to measure what those cost. */
  readonly unprotected: boolean;
  readonly log: Logger;
}

export interface RunningSplitter {
  readonly url: string;
  readonly nbd: NonNullable<ReadyLine['nbd']>;
  /** Waits up to 2 s for receipts, so that an orderly stop leaves no marks. Safe to call twice. */
  readonly stop: () => Promise<void>;
}

/** The splitter's entry in the estate file, and what its data folder holds. */
interface Host {
  readonly id: SplitterId;
  readonly entry: Estate['splitters'][number];
  readonly store: RowStore;
  readonly clock: ProcessClock;
  readonly volumes: VolumeRows;
  readonly files: (volume: VolumeId) => VolumeFiles;
}

/**
 * Starts a splitter.
 * @throws MoverError INVALID_REQUEST for a fault in the estate file or an address in use, CORRUPT
 * for an unreadable store.
 */
export async function startSplitter(config: SplitterConfig): Promise<RunningSplitter> {
  const cleanup = new Cleanup();
  try {
    const host = openHost(config, cleanup);
    const protection = startProtection(config, host, cleanup);
    const url = await serveControl(config, host, protection, cleanup);
    protection.connect(host.entry.control.url ?? url);
    const addresses = await serveGuests(config, host, protection, cleanup);
    let stopped: Promise<void> | undefined;
    return { url, nbd: describeNbd(addresses), stop: async () => (stopped ??= cleanup.run()) };
  } catch (error) {
    await cleanup.afterFailure();
    throw error;
  }
}

function openHost(config: SplitterConfig, cleanup: Cleanup): Host {
  const { estate, dataFolder, sync, log } = config;
  const id = splitterIdSchema.parse(config.id);
  const entry = estate.splitters.find((splitter) => splitter.id === id);
  if (entry === undefined) throw new MoverError('INVALID_REQUEST', `There is no splitter "${id}" in the estate file.`);
  const store = openRowStore({
    directory: join(dataFolder, 'store'),
    tables: ['volumes', META_TABLE, CONFIRMED_TABLE, SOURCES_TABLE],
    sync,
  });
  cleanup.add(async () => store.close());
  const clock = new ProcessClock({ process: `splitter ${id}`, agreesAfterMs: config.clockAgreesAfterMs, log });
  cleanup.add(() => clock.stop());
  const volumes = volumeRows(estate, id, new Map(store.rows('volumes')));
  return { id, entry, store, clock, volumes, files: volumeFilesIn(dataFolder) };
}

function startProtection(config: SplitterConfig, host: Host, cleanup: Cleanup): Protection {
  const { store, volumes } = host;
  const { rows, unstored, unusable, retired, drift } = volumes;
  if (config.sync) syncFolderNames(config.dataFolder);
  const sessions = new Sessions({ store, rows: unstored, log: config.log });
  const protection = new Protection({
    ...config,
    ...host,
    credentials: config.access?.credentials,
    sessions,
    unusable,
    retired,
    drift,
    rows: config.unprotected ? [] : rows,
  });
  cleanup.add(async () => protection.stop());
  protection.start();
  return protection;
}

/** @returns the URL of the control API. */
async function serveControl(
  { unprotected, dataFolder, access, auditLimits, log }: SplitterConfig,
  { id, entry, clock }: Host,
  protection: Protection,
  cleanup: Cleanup,
): Promise<string> {
  const control = createControlServer({
    api: splitterApi,
    handlers: protection.handlers,
    id,
    ...SPLITTER_DESCRIPTION,
    listen: entry.control,
    access,
    audit: new AuditLog({
      folder: join(dataFolder, AUDIT_FOLDER),
      process: `splitter ${id}`,
      clock,
      limits: auditLimits,
    }),
    clock,
    health: () => ({
      notes: [...clock.notes, ...(unprotected ? [UNPROTECTED] : protection.notes)],
    }),
    metrics: protection.metrics,
    log,
  });
  cleanup.add(async () => control.stop());
  const { url } = await control.start();
  return url;
}

/** Serves the volumes over NBD: on a unix socket and over TCP, or over TCP alone on a full disk. */
async function serveGuests(
  { dataFolder, log, ...config }: SplitterConfig,
  { entry, volumes, files }: Host,
  protection: Protection,
  cleanup: Cleanup,
): Promise<readonly NbdAddress[]> {
  const sizes = new Map(volumes.rows.map((row) => [row.volume, row.sizeBytes]));
  const names = config.unprotected ? () => sizes.keys() : () => protection.exported();
  const exported = exportsOf(names, (volume) => {
    const sizeBytes = config.unprotected ? sizes.get(volume) : undefined;
    if (sizeBytes === undefined) return openLogged(protection, volume, log);
    const { source, marks } = files(volume);
    return openUnprotected(source, marks, sizeBytes);
  });
  const certificates = nbdCertificates(config.nbdTls, entry.nbd.host, log);
  const listen = async (addresses: readonly NbdAddress[]): Promise<readonly NbdAddress[]> => {
    const nbd = createNbdServer({ exports: exported, listen: addresses, certificates, log });
    cleanup.add(async () => nbd.stop());
    return nbd.start();
  };
  return listen(nbdAddresses(entry.nbd, dataFolder, log)).catch(async (error: unknown) => {
    if (!isOutOfRoom(error)) throw error;
    log.error({ err: error }, 'no unix socket for NBD: there is no room to make it; guests are served over TCP');
    return listen([entry.nbd]);
  });
}

/** Opens a volume for a guest. A refusal is logged, and the guest is told why. */
function openLogged(protection: Protection, volume: VolumeId, log: Logger): BlockDevice {
  try {
    return protection.open(volume);
  } catch (error) {
    log.warn({ err: error, volume }, 'a guest was refused');
    throw error;
  }
}
