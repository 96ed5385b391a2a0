// What turns served volumes into protected ones: the core, and everything that acts on what the core says.
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import type { SplitterId, VolumeId } from '../../contracts/ids.js';
import type { splitterApi } from '../../contracts/splitter-api.js';
import type { Handlers } from '../control/handlers.js';
import type { BlockDevice } from '../../nbd/block-device.js';
import type { RowStore } from '../store/row-store.js';
import { nowMs } from './clock.js';
import { controlCalls } from './control-calls.js';
import { MemoryBudget } from './core/copies.js';
import { SplitterCore } from './core/splitter-core.js';
import { VolumeSplit, type VolumeSplitRow } from './core/volume-split.js';
import { HeldAcknowledgements } from './held-acknowledgements.js';
import type { SplitterLimits } from './limits.js';
import { loadMarks, MarksFile } from './marks-file.js';
import { MarksSweep } from './marks-sweep.js';
import { ProtectedVolume, type ProtectedVolumeOptions } from './protected-volume.js';
import { ShortInitialization } from './short-initialization.js';
import { Scans } from './scans.js';
import { SourceFile } from './source-file.js';
import { BacklogFile } from './spill-file.js';
import { Streams } from './streams.js';
import { Verdicts } from './verdicts.js';
import { VolumeDevice } from './volume-device.js';
import type { VolumeFiles } from './volume-files.js';
import { WriteTrace } from './write-trace.js';

/** How long an orderly stop waits for what is unconfirmed, in milliseconds, and how often it looks. */
const DRAIN_MS_MAX = 2_000;
const DRAIN_LOOK_EVERY_MS = 10;

export interface ProtectionOptions {
  readonly id: SplitterId;
  readonly session: number;
  readonly rows: readonly VolumeSplitRow[];
  readonly store: RowStore;
  readonly files: (volume: VolumeId) => VolumeFiles;
  readonly limits: SplitterLimits;
  readonly token?: string | undefined;
  readonly sync: boolean;
  readonly trace: boolean;
  readonly log: Logger;
}

export interface Protection {
  readonly handlers: Handlers<typeof splitterApi>;
  /** Connects to the appliances, and asks for verdicts that are due. @param controlUrl where they reach this splitter. */
  readonly connect: (controlUrl: string) => void;
  /** Opens a volume for one guest connection. @throws MoverError VOLUME_NOT_FOUND */
  readonly open: (volume: VolumeId) => BlockDevice;
  /** What is degraded, in sentences. */
  readonly notes: () => string[];
  readonly stop: () => Promise<void>;
}

export function startProtection(options: ProtectionOptions): Protection {
  const { id, store, token, log } = options;
  const budget = new MemoryBudget(options.limits.memoryMaxBytes);
  const splits = options.rows.map((row) => loadSplit(row, budget, options));
  const core = new SplitterCore(
    id,
    splits.map(({ split }) => split),
  );
  const held = new HeldAcknowledgements(core.holds);
  const initialization = new ShortInitialization(log);
  const sweep = new MarksSweep(log);
  let streams: Streams | undefined;

  const events = {
    onNumbered: (volume: ProtectedVolume): void => streams?.wake(volume),
    onMarked: (volume: ProtectedVolume): void => initialization.poke(volume),
  };
  const volumes = new Map(
    splits.map((loaded) => [loaded.split.volume, new ProtectedVolume({ ...loaded, held, sync: options.sync, events })]),
  );
  const scans = new Scans({ volumes, log });
  const progressed = (volume: ProtectedVolume): void => {
    sweep.add(volume);
    initialization.poke(volume);
  };

  const settle = <T>(call: () => T): T => {
    try {
      return call();
    } finally {
      const rows = core.takeRows();
      store.commit(rows.map((row) => ({ table: 'volumes', key: row.volume, value: row })));
      for (const row of rows) follow(row);
    }
  };
  const follow = (row: VolumeSplitRow): void => {
    verdicts.follow(row);
    const volume = volumes.get(row.volume);
    if (volume === undefined) return;
    streams?.follow(volume);
    streams?.wake(volume);
    progressed(volume);
  };
  const verdicts = new Verdicts({
    splitter: id,
    token,
    log,
    tick: () => settle(() => core.tick(nowMs())),
    learn: (pending, verdict) => {
      try {
        settle(() => core.learnPending(pending, verdict, nowMs()));
      } catch (error) {
        if (!(error instanceof MoverError)) throw error;
        log.warn({ err: error }, 'the verdict that was asked for is not needed any more');
      }
    },
  });

  return {
    handlers: controlCalls({ core, held, scans, token, log, settle }),
    connect: (controlUrl) => {
      streams = new Streams({ splitter: id, controlUrl, token, log, onProgress: progressed });
      for (const volume of volumes.values()) {
        streams.follow(volume);
        verdicts.follow(volume.split.row);
      }
    },
    open: (volume) => {
      const found = volumes.get(volume);
      if (found === undefined) throw new MoverError('VOLUME_NOT_FOUND', `Splitter ${id} has no volume "${volume}".`);
      return new VolumeDevice(found);
    },
    notes: () => [...(streams?.notes ?? []), ...splits.flatMap(({ split }) => split.notes)],
    stop: async () => {
      verdicts.stop();
      initialization.stop();
      scans.stop();
      await drained(volumes.values());
      streams?.close();
      await sweep.now();
      for (const volume of volumes.values()) volume.closeIfIdle();
    },
  };
}

type LoadedSplit = Pick<ProtectedVolumeOptions, 'split' | 'source' | 'marksFile' | 'marksLost' | 'trace'>;

function loadSplit(
  row: VolumeSplitRow,
  budget: MemoryBudget,
  { id, session, files, limits, trace, log }: ProtectionOptions,
): LoadedSplit {
  const paths = files(row.volume);
  const source = new SourceFile(paths.source, row.sizeBytes);
  const { marks, lost } = loadMarks(paths.marks, row.sizeBytes, source.isWritten);
  const split = new VolumeSplit({
    row,
    splitter: id,
    session,
    marks,
    budget,
    spill: new BacklogFile(paths.spill, limits.spillMaxBytes, log),
    queueMaxBytes: limits.queueMaxBytes,
    nowMs: nowMs(),
    startReason: lost === undefined ? 'splitter restarted' : 'bitmap lost',
  });
  if (lost !== undefined) {
    log.error({ volume: row.volume }, lost);
    split.note('marks', `Volume "${row.volume}": ${lost}`);
  }
  return {
    split,
    source,
    marksFile: new MarksFile(paths.marks, marks),
    marksLost: lost !== undefined,
    trace: trace ? new WriteTrace(paths.trace) : undefined,
  };
}

/** Resolves when everything that can be confirmed is, or the time is over. Behind a fence, and without a stream, nothing can. */
async function drained(volumes: Iterable<ProtectedVolume>): Promise<void> {
  const waiting = new Set(volumes);
  for (const endMs = nowMs() + DRAIN_MS_MAX; nowMs() < endMs;) {
    for (const volume of waiting) {
      const { split } = volume;
      if (split.allConfirmed || !split.connected || split.row.fence !== undefined) waiting.delete(volume);
    }
    if (waiting.size === 0) return;
    await pause(DRAIN_LOOK_EVERY_MS);
  }
}
