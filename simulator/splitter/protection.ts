// Protection of the served volumes: makes the parts that act for them, and says which part acts on
// what happens to a volume.
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Credentials } from '../../control/credentials.js';
import type { Estate } from '../../contracts/estate.js';
import type { SplitterId, VolumeId } from '../../contracts/ids.js';
import type { splitterApi, UnusableVolume } from '../../contracts/splitter-api.js';
import type { ProcessClock } from '../../control/clock/process-clock.js';
import type { BlockDevice } from '../../nbd/block-device.js';
import type { Handlers } from '../control-server/handlers.js';
import type { RowStore } from '../store/row-store.js';
import { Attempts } from './attempts/attempts.js';
import { controlCalls } from './control-calls.js';
import { SplitterCore } from './core/splitter-core.js';
import { NO_SESSION, type VolumeSplitRow } from './core/volume-split.js';
import type { Drift } from './volume-rows.js';
import type { VolumeFiles } from './files/volume-files.js';
import type { SplitterLimits } from './limits.js';
import { SplitterMetrics } from './metrics.js';
import { type LoadedVolume, loadVolume, loadVolumes } from './load-volumes.js';
import { Comparisons } from './marks/comparisons.js';
import { Confirmations } from './marks/confirmations.js';
import { MarksSweep } from './marks/marks-sweep.js';
import { ShortInitialization } from './marks/short-initialization.js';
import { monotonicMs, nowMs } from './shared/clock.js';
import { SourceChecks } from './source/source-checks.js';
import { Sources } from './source/sources.js';
import { Sending } from './streams/sending.js';
import type { Sessions } from './streams/sessions.js';
import { HeldAcknowledgements } from './volume/held-acknowledgements.js';
import { ProtectedVolume, type VolumeEvents } from './volume/protected-volume.js';
import { Scans } from './volume/scans.js';
import { VolumeLife } from './volume-life.js';
import { VolumeDevice } from './volume/volume-device.js';

/** Longest time for which an orderly stop waits for receipts, in milliseconds. */
const DRAIN_MS_MAX = 2_000;
const DRAIN_POLL_INTERVAL_MS = 10;

export interface ProtectionOptions {
  readonly id: SplitterId;
  readonly sessions: Sessions;
  readonly estate: Estate;
  readonly rows: readonly VolumeSplitRow[];
  /** Volumes left out because of their rows. Those with unusable files join them. */
  readonly unusable: readonly UnusableVolume[];
  /** Volumes that were retired in earlier lives. */
  readonly retired: readonly VolumeId[];
  /** What the estate file says otherwise. */
  readonly drift: readonly Drift[];
  readonly store: RowStore;
  readonly files: (volume: VolumeId) => VolumeFiles;
  readonly limits: SplitterLimits;
  readonly credentials?: Credentials | undefined;
  readonly sync: boolean;
  readonly trace: boolean;
  readonly clock: ProcessClock;
  readonly log: Logger;
}

export class Protection {
  readonly #options: ProtectionOptions;
  readonly #loaded: readonly LoadedVolume[];
  readonly #unusable: ReadonlyMap<VolumeId, UnusableVolume>;
  readonly #core: SplitterCore;
  readonly #held: HeldAcknowledgements;
  readonly #volumes: Map<VolumeId, ProtectedVolume>;
  readonly #initialization: ShortInitialization;
  readonly #sweep: MarksSweep;
  readonly #sources: Sources;
  readonly #sending: Sending;
  readonly #attempts: Attempts;
  readonly #scans: Scans;
  readonly #life: VolumeLife;
  readonly metrics: SplitterMetrics;
  /** Bytes sent again for volumes that were retired since. */
  #resentForRetiredBytes = 0;

  /**
   * Makes the parts, each after those it needs. Takes a session number and opens the volumes'
   * files.
   * Call `start` before guests or control calls are let in.
   */
  constructor(options: ProtectionOptions) {
    const { id: splitter, sessions, store, estate, files, limits, credentials, log } = options;
    this.#options = options;
    const confirmations = new Confirmations(store);
    const checks = new SourceChecks(store);
    const loading = { ...options, life: sessions.life, confirmations, checks };
    const { loaded, unusable, budget } = loadVolumes({ ...loading, session: sessions.first() });
    this.#loaded = loaded;
    this.#unusable = new Map([...options.unusable, ...unusable].map((volume) => [volume.volume, volume]));
    const core = new SplitterCore({
      splitter,
      life: sessions.life,
      volumes: loaded.map(({ split }) => split),
      unusable: this.#unusable,
      store: (rows) => store.commit(rows.map((row) => ({ table: 'volumes', key: row.volume, value: row }))),
      onStored: (rows) => rows.forEach((row) => this.#rowStored(row)),
    });
    this.#core = core;
    this.metrics = new SplitterMetrics(() => ({
      core,
      unusable: this.#unusable,
      resentForRetiredBytes: this.#resentForRetiredBytes,
    }));
    this.#held = new HeldAcknowledgements(core.holds, (ms) => this.metrics.held(ms));
    this.#volumes = new Map(loaded.map((volume) => [volume.split.volume, this.#protectedOf(volume)]));
    this.#initialization = new ShortInitialization(
      new Comparisons(splitter, credentials),
      ({ id }) => core.changeRows([id], (split) => split.keepComparison()),
      log,
    );
    this.#sweep = new MarksSweep(confirmations, log);
    this.#sources = new Sources({
      core,
      checks,
      volumes: this.#volumes,
      files,
      estate,
      credentials,
      proofWaitMs: limits.proofWaitMs,
      onProven: (proven) => proven.forEach((volume) => this.#proven(volume)),
      onDecided: (volume) => this.#decided(volume),
      log,
    });
    this.#sending = new Sending({
      splitter,
      core,
      sessions,
      confirmations,
      estate,
      credentials,
      onSourceKnown: (volume) => this.#sources.known(volume),
      onDoubt: (volume) => this.#initialization.poke(volume),
      onProgress: (volume) => this.#progressed(volume),
      log,
    });
    this.#attempts = new Attempts({ splitter, core, credentials, log });
    this.#scans = new Scans({ find: (volume) => this.#find(volume), log });
    this.#life = new VolumeLife({
      ...options,
      core,
      volumes: this.#volumes,
      unusable: this.#unusable,
      load: (row) => loadVolume(row, budget, { ...loading, session: NO_SESSION }),
      begin: (volume) => this.#begin(volume),
      end: (volume) => this.#end(volume),
      onGrown: (volume) => this.#decided(volume),
      onForgotten: (volume) => {
        confirmations.forgotten(volume);
        checks.forgotten(volume);
      },
    });
  }

  #protectedOf(volume: LoadedVolume): ProtectedVolume {
    const { sync } = this.#options;
    return new ProtectedVolume({ ...volume, held: this.#held, sync, events: this.#events });
  }

  /** Takes in a volume that was added. */
  #begin(loaded: LoadedVolume): void {
    const volume = this.#protectedOf(loaded);
    this.#core.add(loaded.split);
    this.#volumes.set(volume.id, volume);
    this.#sources.added(volume);
    this.#sending.follow(volume);
    this.#sending.startSessions([volume]);
  }

  /** Lets go of a volume that was retired. */
  #end(volume: ProtectedVolume): void {
    const { sessions } = this.#options;
    volume.bar('missing', `Volume "${volume.id}" was retired.`);
    this.#volumes.delete(volume.id);
    this.#core.remove(volume.split);
    this.#resentForRetiredBytes += volume.split.resentBytes;
    sessions.forget(volume.id);
    this.#sending.forget(volume);
    this.#initialization.forget(volume);
    volume.split.end(nowMs());
    volume.closeIfIdle();
  }

  /** The volumes that guests may ask for, usable or not. */
  *exported(): Generator<VolumeId, void> {
    yield* this.#volumes.keys();
    yield* this.#unusable.keys();
  }

  /** Refuses disks that may not be used, and begins what earlier lives left undone. */
  start(): void {
    const { log } = this.#options;
    for (const sentence of this.#drift()) log.warn(sentence);
    for (const { volume, reason } of this.#unusable.values()) log.error({ volume }, reason);
    this.#sources.start(this.#loaded);
    for (const volume of this.#volumes.values()) if (volume.split.marks.doubted > 0) this.#initialization.poke(volume);
    this.#sending.startSessions(this.#volumes.values());
  }

  /**
   * Connects to the appliances, and asks for verdicts that are due.
   * @param controlUrl where they reach this splitter.
   */
  connect(controlUrl: string): void {
    this.#sending.connect(this.#volumes.values(), controlUrl);
    for (const { split } of this.#volumes.values()) this.#attempts.follow(split.row);
  }

  /**
   * Waits up to 2 s for receipts, so that an orderly stop leaves no marks; then closes streams and
   * files.
   */
  async stop(): Promise<void> {
    this.#options.sessions.stop();
    await this.#sources.stop();
    this.#attempts.stop();
    this.#initialization.stop();
    this.#scans.stop();
    await drained(this.#volumes.values());
    this.#sending.close();
    await this.#sweep.stop();
    for (const volume of this.#volumes.values()) volume.closeIfIdle();
    this.#sources.noteAtRest();
  }

  get handlers(): Handlers<typeof splitterApi> {
    const { files, credentials, clock, log } = this.#options;
    return controlCalls({
      core: this.#core,
      held: this.#held,
      scans: this.#scans,
      decisions: this.#sources.decisions,
      life: this.#life,
      find: (volume) => this.#find(volume),
      files,
      onDoubt: (volume) => this.#initialization.poke(volume),
      credentials,
      clock,
      log,
    });
  }

  /**
   * Opens a volume for one guest connection.
   * @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE
   */
  open(volume: VolumeId): BlockDevice {
    return new VolumeDevice(this.#find(volume), this.metrics.requests);
  }

  /** What is degraded, in sentences. */
  get notes(): string[] {
    const { sessions, store } = this.#options;
    return [
      ...sessions.notes,
      ...(store.note === undefined ? [] : [store.note]),
      ...[...this.#unusable.values()].map(({ reason }) => reason),
      ...this.#drift(),
      ...this.#sending.notes,
      ...[...this.#volumes.values()].flatMap(({ split }) => split.notes),
    ];
  }

  /** What the estate file says otherwise now, in sentences. */
  #drift(): string[] {
    const servedBytesOf = (volume: VolumeId): number | undefined => this.#volumes.get(volume)?.sizeBytes;
    return this.#options.drift.filter(({ holds }) => holds(servedBytesOf)).map(({ sentence }) => sentence);
  }

  /** @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE */
  #find(volume: VolumeId): ProtectedVolume {
    const found = this.#volumes.get(volume);
    if (found === undefined) throw this.#core.missing(volume);
    return found;
  }

  // ---- what follows from what happens to a volume ----

  readonly #events: VolumeEvents = {
    onNumbered: (volume) => this.#sending.wake(volume),
    onMarked: (volume) => this.#initialization.poke(volume),
    onSettled: (volume) => this.#sweep.add(volume),
    onMade: (volume) => this.#sources.made(volume),
  };

  #progressed(volume: ProtectedVolume): void {
    this.#sweep.add(volume);
    this.#initialization.poke(volume);
  }

  #proven(volume: ProtectedVolume): void {
    this.#sending.wake(volume);
    this.#initialization.poke(volume);
  }

  #decided(volume: ProtectedVolume): void {
    this.#sending.reattach(volume);
    this.#initialization.poke(volume);
  }

  #rowStored(row: VolumeSplitRow): void {
    this.#attempts.follow(row);
    const volume = this.#volumes.get(row.volume);
    if (volume === undefined) return;
    this.#sending.follow(volume);
    this.#progressed(volume);
  }
}

/**
 * Resolves when every write is confirmed, or after DRAIN_MS_MAX. A volume behind a fence or without
 * a stream is not waited for: it can't be confirmed.
 */
async function drained(volumes: Iterable<ProtectedVolume>): Promise<void> {
  const waiting = new Set(volumes);
  for (const endMs = monotonicMs() + DRAIN_MS_MAX; monotonicMs() < endMs;) {
    for (const volume of waiting) {
      const { split } = volume;
      if (split.allConfirmed || !split.connected || split.row.fence !== undefined) waiting.delete(volume);
    }
    if (waiting.size === 0) return;
    await pause(DRAIN_POLL_INTERVAL_MS);
  }
}
