// Carries out `retain`, one call at a time: stores what is retained first, then changes files.
import { Consolidation, ExaminedSegments } from './undo/consolidation.js';
import type { Budget, ConsolidationOptions } from './undo/consolidation.js';
import { withoutDropped } from './terms/damage.js';
import type { DamagePlace } from './terms/damage.js';
import { JournalError } from './terms/errors.js';
import type { HistoryLoss } from './undo/history-loss.js';
import type { Manifest } from './manifest/manifest.js';
import type { OpenImages } from './images/open-images.js';
import type { Replica } from './replica/replica.js';
import { isSame, narrowed, oldest } from './terms/retained-positions.js';
import type { Durable, RetainResult } from './terms/types.js';
import type { Retained } from './terms/retained-positions.js';

/** UNDO bytes that one call reads and writes at most, plus one segment: about 0.1 s of work. */
const WORK_BYTES_MAX = 64 * 1024 * 1024;
/** Bytes at which a call closes the growing segment, so that a later call can consolidate it. */
const REST_BYTES_MIN = 256 * 1024;

export interface RetentionOptions extends Omit<ConsolidationOptions, 'examined'> {
  readonly manifest: Manifest;
  readonly replica: Replica;
  readonly images: OpenImages;
  readonly history: HistoryLoss;
  /** What is applied now. */
  readonly applied: () => Durable;
}

export class Retention {
  readonly #options: RetentionOptions;
  readonly #examined = new ExaminedSegments();
  /** Where the last call stopped. */
  #consolidation: Consolidation | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** Calls `assertGoingOn` between segments; it throws to end the work. */
  retain(asked: Retained, assertGoingOn: () => void): Promise<RetainResult> {
    return this.exclusively(() => this.#retain(asked, assertGoingOn));
  }

  /** Runs work that changes the list of UNDO segments, while no call of `retain` runs. */
  exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#running.then(work);
    this.#running = result.catch(() => undefined);
    return result;
  }

  /**
   * Gives up the history that damage in UNDO makes useless. Call it within `exclusively`. Tells
   * whether anything was given up.
   */
  async lose({ file, offset }: DamagePlace): Promise<boolean> {
    // Its walk is over the segments as they were.
    this.#consolidation = undefined;
    const isLost = await this.#options.history.lose(file, offset);
    this.#options.images.deleteUnneeded();
    return isLost;
  }

  /** Resolves once no work is under way; never rejects. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #retain(asked: Retained, assertGoingOn: () => void): Promise<RetainResult> {
    assertGoingOn();
    const { manifest, undo, images } = this.#options;
    if ((undo.growing?.bytes ?? 0) >= REST_BYTES_MIN) undo.seal();
    await this.#storeRetained(asked);
    let freedBytes = undo.retire(manifest.trimPosition);
    images.deleteUnneeded();
    const budget = { bytes: WORK_BYTES_MAX };
    let done = false;
    try {
      while (!done && budget.bytes > 0) {
        this.#consolidation ??= new Consolidation(manifest.retained, { ...this.#options, examined: this.#examined });
        const consolidation = this.#consolidation;
        const part = await this.#consolidate(consolidation, budget, assertGoingOn);
        if (part === undefined) continue;
        freedBytes += part.freedBytes;
        if (!part.done) break;
        this.#consolidation = undefined;
        done = isSame(consolidation.retained, manifest.retained);
      }
    } finally {
      images.deleteUnneeded();
    }
    return { trimPosition: manifest.trimPosition, freedBytes, done };
  }

  /**
   * Undefined if damage was found and given up: the segments have changed, and a new walk is
   * needed.
   */
  async #consolidate(
    consolidation: Consolidation,
    budget: Budget,
    assertGoingOn: () => void,
  ): Promise<{ readonly done: boolean; readonly freedBytes: number } | undefined> {
    try {
      return await consolidation.run(budget, assertGoingOn);
    } catch (error) {
      const place = error instanceof JournalError && error.code === 'CORRUPT' ? error.place : undefined;
      if (place === undefined || !(await this.lose(place))) throw error;
      return undefined;
    }
  }

  /**
   * Stores which positions are retained. Afterwards UNDO that only other positions needed may be
   * deleted, in any order.
   */
  async #storeRetained(asked: Retained): Promise<void> {
    const { manifest, replica, sync, applied } = this.#options;
    const { position, timeMs } = applied();
    const retained = narrowed(manifest.retained, asked, position);
    const damage = withoutDropped(manifest.damage, asked);
    if (isSame(retained, manifest.retained) && damage === manifest.damage) return;
    manifest.damage = damage;
    // Records up to the floor are never redone, so that redo needs no sums from UNDO that is
    // deleted.
    if (sync) await replica.commit();
    const before = { retained: manifest.retained, trimPosition: manifest.trimPosition, floor: manifest.floor };
    Object.assign(manifest, { retained, trimPosition: oldest(retained), floor: { position, timeMs } });
    try {
      await manifest.save();
    } catch (error) {
      // No file is deleted yet: the wider set of positions is true, whichever one is stored.
      Object.assign(manifest, before);
      throw error;
    }
  }
}
