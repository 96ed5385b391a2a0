// Wires a splitter together: store, volumes, streams, control API and NBD, in the order in which
// they may be relied on.
import { join } from 'node:path';
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import { splitterIdSchema, type VolumeId } from '../../contracts/ids.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import { SPLITTER_DESCRIPTION } from '../control-server/descriptions.js';
import { createControlServer } from '../control-server/server.js';
import { ProcessClock } from '../../control/clock/process-clock.js';
import { syncFolderNames } from '../disk/folder-names.js';
import type { NbdAddress } from '../../nbd/address.js';
import type { BlockDevice } from '../../nbd/block-device.js';
import { createNbdServer } from '../../nbd/server.js';
import type { ProcessConfig } from '../process/config.js';
import type { ReadyLine } from '../process/ready-line.js';
import { openRowStore } from '../store/row-store.js';
import { isOutOfRoom } from '../store/storage-failure.js';
import { CONFIRMED_TABLE } from './marks/confirmations.js';
import { exportsOf } from './exports.js';
import type { SplitterLimits } from './limits.js';
import { describeNbd, nbdAddresses } from './nbd-listen.js';
import { type Protection, startProtection } from './protection.js';
import { META_TABLE, Sessions } from './streams/sessions.js';
import { SOURCES_TABLE } from './source/source-checks.js';
import { openUnprotected } from './volume/unprotected-device.js';
import { volumeFilesIn } from './files/volume-files.js';
import { volumeRows } from './volume-rows.js';

export interface SplitterConfig extends Omit<ProcessConfig, 'role' | 'logLevel' | 'faults'> {
  readonly limits: SplitterLimits;
  /** Serves the volumes without marks, queue and streams, for measuring what those cost. */
  readonly unprotected: boolean;
  readonly log: Logger;
}

export interface RunningSplitter {
  readonly url: string;
  readonly nbd: NonNullable<ReadyLine['nbd']>;
  /**
   * Waits a moment for what is unconfirmed, so that an orderly stop leaves no marks. Safe to call
   * twice.
   */
  readonly stop: () => Promise<void>;
}

/**
 * @throws MoverError INVALID_REQUEST for what the estate file has wrong or an address in use,
 * CORRUPT for a store that can't be read.
 */
export async function startSplitter(config: SplitterConfig): Promise<RunningSplitter> {
  const { estate, log, token } = config;
  const id = splitterIdSchema.parse(config.id);
  const entry = estate.splitters.find((splitter) => splitter.id === id);
  if (entry === undefined) throw new MoverError('INVALID_REQUEST', `There is no splitter "${id}" in the estate file.`);

  const store = openRowStore({
    directory: join(config.dataFolder, 'store'),
    tables: ['volumes', META_TABLE, CONFIRMED_TABLE, SOURCES_TABLE],
    sync: config.sync,
  });
  const clock = new ProcessClock({ process: `splitter ${id}`, agreesAfterMs: config.clockAgreesAfterMs, log });
  const undo: (() => Promise<void> | void)[] = [async () => store.close(), () => clock.stop()];
  try {
    const { rows, unstored, unusable } = volumeRows(estate, id, new Map(store.rows('volumes')));
    const sessions = new Sessions({ store, rows: unstored, log });
    const files = volumeFilesIn(config.dataFolder);
    if (config.sync) syncFolderNames(config.dataFolder);

    const protection = startProtection({
      ...config,
      id,
      sessions,
      store,
      files,
      unusable,
      clock,
      rows: config.unprotected ? [] : rows,
    });
    undo.push(() => protection.stop());
    const control = createControlServer({
      api: splitterApi,
      handlers: protection.handlers,
      id,
      ...SPLITTER_DESCRIPTION,
      listen: entry.control,
      token,
      clock,
      health: () => ({
        notes: [
          ...clock.notes,
          ...(config.unprotected ? ['The volumes are served without protection.'] : protection.notes()),
        ],
      }),
      log,
    });
    undo.push(() => control.stop());
    const { url } = await control.start();
    protection.connect(entry.control.url ?? url);

    const sizes = new Map(rows.map((row) => [row.volume, row.sizeBytes]));
    const exported = exportsOf([...sizes.keys(), ...unusable.map(({ volume }) => volume)], (volume) => {
      const sizeBytes = config.unprotected ? sizes.get(volume) : undefined;
      if (sizeBytes === undefined) return openLogged(protection, volume, log);
      const { source, marks } = files(volume);
      return openUnprotected(source, marks, sizeBytes);
    });
    const listen = async (addresses: readonly NbdAddress[]): Promise<readonly NbdAddress[]> => {
      const nbd = createNbdServer({ exports: exported, listen: addresses, log });
      undo.push(() => nbd.stop());
      return nbd.start();
    };
    const addresses = await listen(nbdAddresses(entry.nbd, config.dataFolder, log)).catch(async (error: unknown) => {
      if (!isOutOfRoom(error)) throw error;
      log.error({ err: error }, 'no unix socket for NBD: there is no room to make it; guests are served over TCP');
      return listen([entry.nbd]);
    });
    return { url, nbd: describeNbd(addresses), stop: once(async () => runBackwards(undo)) };
  } catch (error) {
    await runBackwards(undo);
    throw error;
  }
}

/** A guest that is refused is told why; so is the log. */
function openLogged(protection: Protection, volume: VolumeId, log: Logger): BlockDevice {
  try {
    return protection.open(volume);
  } catch (error) {
    log.warn({ err: error, volume }, 'a guest was refused');
    throw error;
  }
}

async function runBackwards(undo: readonly (() => Promise<void> | void)[]): Promise<void> {
  for (const step of [...undo].reverse()) await step();
}

function once(action: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return async () => (done ??= action());
}
