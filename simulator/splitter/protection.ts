// What turns served volumes into protected ones: the core, and everything that acts on what the
// core says.
import { statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import type { Verdict } from '../../contracts/attempt.js';
import type { SplitterId, VolumeId } from '../../contracts/ids.js';
import type { Estate } from '../../contracts/estate.js';
import type { splitterApi, UnusableVolume } from '../../contracts/splitter-api.js';
import type { Handlers } from '../control-server/handlers.js';
import type { BlockDevice } from '../../nbd/block-device.js';
import type { RowStore } from '../store/row-store.js';
import type { ProcessClock } from '../../control/clock/process-clock.js';
import { monotonicMs, nowMs } from './shared/clock.js';
import { Comparisons } from './marks/comparisons.js';
import { Confirmations } from './marks/confirmations.js';
import { controlCalls } from './control-calls.js';
import { MemoryBudget } from './core/copies.js';
import { SplitterCore, type PendingVerdict } from './core/splitter-core.js';
import { NO_SESSION, VolumeSplit, type VolumeSplitRow } from './core/volume-split.js';
import { HeldAcknowledgements } from './volume/held-acknowledgements.js';
import type { SplitterLimits } from './limits.js';
import { type LoadedMarks, loadMarks, MarksFile } from './files/marks-file.js';
import { MarksSweep } from './marks/marks-sweep.js';
import { ProtectedVolume, type ProtectedVolumeOptions } from './volume/protected-volume.js';
import { Notices } from './attempts/notices.js';
import { foreignSource, Reunion } from './streams/reunion.js';
import type { Sessions } from './streams/sessions.js';
import { ShortInitialization } from './marks/short-initialization.js';
import { Scans } from './volume/scans.js';
import { SourceDecisions } from './source/source-decisions.js';
import { SourceChecks, type SourceFinding } from './source/source-checks.js';
import { SourceProofs } from './source/source-proofs.js';
import { SourceFile } from './files/source-file.js';
import { BacklogFile } from './files/backlog-file.js';
import { Streams } from './streams/streams.js';
import { Verdicts } from './attempts/verdicts.js';
import { VolumeDevice } from './volume/volume-device.js';
import type { VolumeFiles } from './files/volume-files.js';
import { unusable as unusableVolume } from './volume-rows.js';
import { WriteTrace } from './files/write-trace.js';

/**
 * How long an orderly stop waits for what is unconfirmed, in milliseconds, and how often it looks.
 */
const DRAIN_MS_MAX = 2_000;
const DRAIN_LOOK_EVERY_MS = 10;

export interface ProtectionOptions {
  readonly id: SplitterId;
  readonly sessions: Sessions;
  readonly estate: Estate;
  readonly rows: readonly VolumeSplitRow[];
  /**
   * Volumes that are left out because of their rows; more may turn out to be because of their
   * files.
   */
  readonly unusable: readonly UnusableVolume[];
  readonly store: RowStore;
  readonly files: (volume: VolumeId) => VolumeFiles;
  readonly limits: SplitterLimits;
  readonly token?: string | undefined;
  readonly sync: boolean;
  readonly trace: boolean;
  readonly clock: ProcessClock;
  readonly log: Logger;
}

export interface Protection {
  readonly handlers: Handlers<typeof splitterApi>;
  /**
   * Connects to the appliances, and asks for verdicts that are due.
   * @param controlUrl where they reach this splitter.
   */
  readonly connect: (controlUrl: string) => void;
  /**
   * Opens a volume for one guest connection.
   * @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE
   */
  readonly open: (volume: VolumeId) => BlockDevice;
  /** What is degraded, in sentences. */
  readonly notes: () => string[];
  readonly stop: () => Promise<void>;
}

export function startProtection(options: ProtectionOptions): Protection {
  const { id, store, sessions, token, clock, log } = options;
  const confirmations = new Confirmations(store);
  const checks = new SourceChecks(store);
  const budget = new MemoryBudget(options.limits.memoryMaxBytes, options.rows.length);
  const session = sessions.first();
  const unusable = new Map(options.unusable.map((volume) => [volume.volume, volume]));
  const splits = options.rows.flatMap((row) => {
    const loaded = tryLoad(row, () => loadSplit(row, session, { budget, confirmations, checks }, options));
    if (!('reason' in loaded)) return [loaded];
    unusable.set(row.volume, loaded);
    return [];
  });
  for (const { volume, reason } of unusable.values()) log.error({ volume }, reason);
  const core = new SplitterCore({
    splitter: id,
    volumes: splits.map(({ split }) => split),
    unusable,
    store: (rows) => store.commit(rows.map((row) => ({ table: 'volumes', key: row.volume, value: row }))),
    onStored: (rows) => rows.forEach(follow),
  });
  const held = new HeldAcknowledgements(core.holds);
  const initialization = new ShortInitialization(
    new Comparisons(id, token),
    (volume) => core.changeRows([volume.id], (split) => split.keepComparison()),
    log,
  );
  const sweep = new MarksSweep(confirmations, log);
  let streams: Streams | undefined;

  const events = {
    onNumbered: (volume: ProtectedVolume): void => streams?.wake(volume),
    onMarked: (volume: ProtectedVolume): void => initialization.poke(volume),
    onSettled: (volume: ProtectedVolume): void => sweep.add(volume),
    onMade: (volume: ProtectedVolume): void => {
      if (made.size === 0) setImmediate(noteMade);
      made.add(volume);
    },
  };
  const made = new Set<ProtectedVolume>();
  const noteMade = (): void => {
    noteSources(
      checks,
      [...made].map(({ id: volume }) => [volume, options.files(volume).source]),
      false,
      log,
    );
    made.clear();
  };
  const volumes = new Map(
    splits.map((loaded) => [loaded.split.volume, new ProtectedVolume({ ...loaded, held, sync: options.sync, events })]),
  );
  const proofs = new SourceProofs(volumes.values(), {
    core,
    waitMs: options.limits.proofWaitMs,
    onProven: (proven) => {
      noteSources(
        checks,
        proven.map(({ id: volume }) => [volume, options.files(volume).source]),
        false,
        log,
      );
      for (const volume of proven) {
        streams?.wake(volume);
        initialization.poke(volume);
      }
    },
    log,
  });
  /**
   * Volumes whose disk is refused, from an earlier life or from now on; and those whose very file
   * is back.
   */
  const refuseSources = (): void => {
    const missing = splits.filter(
      ({ split, finding }) => split.sourceState !== 'foreign' && finding.kind === 'missing',
    );
    const back = splits.filter(({ split, finding }) => split.sourceState === 'missing' && isItself(finding));
    storeSources(core, missing, (split) => split.refuseSource('missing'), log);
    storeSources(core, back, (split) => split.sourceBack(), log);
    for (const { split } of back) split.sourceState = split.row.refused ?? 'present';
    for (const { split } of missing) split.sourceState = 'missing';
    for (const { split } of splits) {
      const volume = volumes.get(split.volume);
      if (split.sourceState === 'foreign') volume?.bar('foreign', foreignSource(split.volume));
      if (split.sourceState === 'missing') volume?.bar('missing', missingSource(split.volume));
    }
  };
  const sources = (): (readonly [VolumeId, string])[] =>
    [...volumes.values()]
      .filter(({ barred }) => barred === undefined)
      .map(({ id: volume }) => [volume, options.files(volume).source]);
  const reunion = new Reunion({
    core,
    sessions,
    confirmations,
    estate: options.estate,
    onSourceKnown: (volume) => proofs.known(volume),
    onDoubt: (volume) => initialization.poke(volume),
    log,
  });
  /** @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE */
  const find = (volume: VolumeId): ProtectedVolume => {
    const found = volumes.get(volume);
    if (found === undefined) throw core.missing(volume);
    return found;
  };
  const scans = new Scans({ find, log });
  const decisions = new SourceDecisions({
    core,
    checks,
    files: options.files,
    estate: options.estate,
    token,
    onDecided: (volume) => {
      streams?.reattach(volume);
      initialization.poke(volume);
    },
    log,
  });
  const progressed = (volume: ProtectedVolume): void => {
    sweep.add(volume);
    initialization.poke(volume);
  };

  const follow = (row: VolumeSplitRow): void => {
    verdicts.follow(row, core.volume(row.volume).leaseEndsAtMs);
    const volume = volumes.get(row.volume);
    if (volume === undefined) return;
    streams?.follow(volume);
    streams?.wake(volume);
    progressed(volume);
  };
  /** @throws MoverError STORAGE_FULL, STORAGE_FAILED: to be learned again */
  const learn = (pending: PendingVerdict, verdict: Verdict): void => {
    try {
      core.learnPending(pending, verdict, nowMs());
    } catch (error) {
      if (!(error instanceof MoverError) || error.code === 'STORAGE_FULL' || error.code === 'STORAGE_FAILED')
        throw error;
      log.warn({ err: error }, 'the verdict that was asked for is not needed any more');
    }
  };
  const verdicts = new Verdicts({
    splitter: id,
    token,
    log,
    tick: () => core.tick(monotonicMs()),
    learn,
  });
  const notices = new Notices({
    announced: () => core.announced(),
    ask: async (pending) => verdicts.askOnce(pending, true),
    learn: (pending, verdict) => {
      try {
        learn(pending, verdict);
      } catch (error) {
        log.warn({ err: error }, 'a verdict could not be stored: it is asked for again');
      }
    },
    log,
  });
  const startSession = (volume: ProtectedVolume): void =>
    sessions.want(volume.id, (number) => {
      volume.split.startSession(number);
      streams?.follow(volume);
      initialization.poke(volume);
    });
  const loseQueue = (volume: ProtectedVolume, error: unknown): void => {
    log.error(
      { err: error, volume: volume.id },
      'the backlog can’t be read back; marks stand for it, and are sent again',
    );
    volume.split.loseQueue('backlog lost', nowMs());
    streams?.follow(volume);
    startSession(volume);
  };
  refuseSources();
  noteSources(checks, sources(), false, log);
  for (const volume of volumes.values()) if (volume.split.marks.doubted > 0) initialization.poke(volume);
  if (session === NO_SESSION) for (const volume of volumes.values()) startSession(volume);

  return {
    handlers: controlCalls({
      core,
      held,
      scans,
      decisions,
      find,
      files: options.files,
      onDoubt: (volume) => initialization.poke(volume),
      token,
      clock,
      log,
    }),
    connect: (controlUrl) => {
      streams = new Streams({
        splitter: id,
        life: sessions.life,
        reunion,
        controlUrl,
        token,
        log,
        onProgress: progressed,
        onUnsendable: loseQueue,
      });
      for (const volume of volumes.values()) {
        streams.follow(volume);
        verdicts.follow(volume.split.row, volume.split.leaseEndsAtMs);
      }
    },
    open: (volume) => new VolumeDevice(find(volume)),
    notes: () => [
      ...sessions.notes,
      ...(store.note === undefined ? [] : [store.note]),
      ...[...unusable.values()].map(({ reason }) => reason),
      ...(streams?.notes ?? []),
      ...splits.flatMap(({ split }) => split.notes),
    ],
    stop: async () => {
      sessions.stop();
      proofs.stop();
      await decisions.stop();
      verdicts.stop();
      notices.stop();
      initialization.stop();
      scans.stop();
      await drained(volumes.values());
      streams?.close();
      await sweep.stop();
      for (const volume of volumes.values()) volume.closeIfIdle();
      noteSources(checks, sources(), true, log);
    },
  };
}

interface LoadedSplit extends Pick<
  ProtectedVolumeOptions,
  'split' | 'source' | 'marksFile' | 'marksLost' | 'resumesComparison' | 'trace'
> {
  readonly finding: SourceFinding;
}

interface Known {
  readonly budget: MemoryBudget;
  readonly confirmations: Confirmations;
  readonly checks: SourceChecks;
}

/** A volume whose files can't be used is left out, whatever is wrong with them. */
function tryLoad(row: VolumeSplitRow, load: () => LoadedSplit | UnusableVolume): LoadedSplit | UnusableVolume {
  try {
    return load();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return unusableVolume(row.volume, `its files can't be used (${why})`, 'Mend what is named');
  }
}

function loadSplit(
  row: VolumeSplitRow,
  session: number,
  { budget, confirmations, checks }: Known,
  { id, files, limits, trace, log }: ProtectionOptions,
): LoadedSplit | UnusableVolume {
  const paths = files(row.volume);
  const fault = sourceFault(paths.source, row.sizeBytes);
  if (fault !== undefined) return unusableVolume(row.volume, fault, 'Put the right file in its place');
  const source = new SourceFile(paths.source, row.sizeBytes);
  const loaded = tryMarks(paths.marks, row.sizeBytes, source.isWritten);
  if (typeof loaded === 'string')
    return unusableVolume(row.volume, loaded, 'Mend its disk, or remove it: the whole volume is sent again then');
  const { marks, lost } = loaded;
  const confirmed = confirmations.of(row.volume);
  const finding = checks.find(row.volume, paths.source, marks.marked > 0 || (confirmed?.position ?? 0) > 0);
  const resumesComparison = row.comparing !== undefined;
  if (resumesComparison) marks.doubtMarked();
  const marksFile = new MarksFile(paths.marks, marks, lost !== undefined);
  const split = new VolumeSplit({
    row,
    splitter: id,
    session,
    confirmed,
    marks,
    budget,
    spill: new BacklogFile(paths.spill, limits.spillMaxBytes, log),
    queueMaxBytes: limits.queueMaxBytes,
    nowMs: nowMs(),
    beganAtMs: monotonicMs(),
    startReason: lost === undefined ? (row.comparing ?? 'splitter restarted') : 'bitmap lost',
  });
  if (lost !== undefined) {
    log.error({ volume: row.volume }, lost);
    split.note('marks', `Volume "${row.volume}": ${lost}`);
  }
  const isServed = row.refused === undefined || (row.refused === 'missing' && isItself(finding));
  if ((finding.kind === 'changed' || finding.kind === 'replaced') && isServed) {
    log.warn({ volume: row.volume }, finding.reason);
    marksFile.storeAll(split.doubt(finding.reason, nowMs()));
    split.note(
      'doubt',
      `Volume "${row.volume}": ${finding.reason}. It is compared with its replica, and what differs is sent again.`,
    );
  }
  return {
    split,
    source,
    marksFile,
    marksLost: lost !== undefined,
    resumesComparison,
    finding,
    trace: trace ? new WriteTrace(paths.trace, log) : undefined,
  };
}

/** Whether the file is the very one that was there, whatever was written to it since. */
function isItself({ kind }: SourceFinding): boolean {
  return kind === 'same' || kind === 'changed';
}

function missingSource(volume: VolumeId): string {
  return `The source of volume "${volume}" is gone. Guests get I/O errors, and its replica is kept as it is; it stays so until you decide. Put that very file back and start the splitter again, or type: volume-mover source recover ${volume} (from the replica), or: volume-mover source accept ${volume} (a copy that you put in its place), or: volume-mover source accept-blank ${volume} (an empty disk).`;
}

/** What can't be stored now is found again at the next start, from the same evidence. */
function storeSources(
  core: SplitterCore,
  loaded: readonly LoadedSplit[],
  change: (split: VolumeSplit) => void,
  log: Logger,
): void {
  try {
    core.changeRows(
      loaded.map(({ split }) => split.volume),
      change,
    );
  } catch (error) {
    log.warn({ err: error }, 'what was found of sources could not be stored');
  }
}

/**
 * At an orderly stop they are at rest: whoever changes one from then on is found out at the next
 * start.
 */
function noteSources(
  checks: SourceChecks,
  sources: Iterable<readonly [VolumeId, string]>,
  atRest: boolean,
  log: Logger,
): void {
  try {
    checks.note(sources, atRest);
  } catch (error) {
    log.warn({ err: error }, 'the state of the sources could not be stored');
  }
}

/** Why the source file can't be a volume's; undefined when it can, or there is none yet. */
function sourceFault(path: string, sizeBytes: number): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isFile()) return `${path} is not a file`;
  // An empty one was made by a life that ended before it could set the size.
  return found.size === 0 || found.size === sizeBytes
    ? undefined
    : `its source ${path} has ${found.size} bytes instead of ${sizeBytes}`;
}

/**
 * @returns a sentence when the file is there and can't be read: what it says might count again
 * later, so none of it may be guessed.
 */
function tryMarks(path: string, sizeBytes: number, isSourceWritten: boolean): LoadedMarks | string {
  try {
    return loadMarks(path, sizeBytes, isSourceWritten);
  } catch (error) {
    return `its bitmap of marks ${path} can't be read (${error instanceof Error ? error.message : String(error)})`;
  }
}

/**
 * Resolves when everything that can be confirmed is, or the time is over. Behind a fence, and
 * without a stream, nothing can.
 */
async function drained(volumes: Iterable<ProtectedVolume>): Promise<void> {
  const waiting = new Set(volumes);
  for (const endMs = monotonicMs() + DRAIN_MS_MAX; monotonicMs() < endMs;) {
    for (const volume of waiting) {
      const { split } = volume;
      if (split.allConfirmed || !split.connected || split.row.fence !== undefined) waiting.delete(volume);
    }
    if (waiting.size === 0) return;
    await pause(DRAIN_LOOK_EVERY_MS);
  }
}
