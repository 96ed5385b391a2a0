// Carries out what `retain` asks for, one call after another: first the facts, then the files.
import { Consolidation, ExaminedSegments } from './consolidation.js';
import type { ConsolidationOptions } from './consolidation.js';
import type { Manifest } from './manifest.js';
import type { OpenImages } from './open-images.js';
import type { Replica } from './replica.js';
import { isSame, narrowed, oldest } from './retained-positions.js';
import type { Durable, RetainResult, Retained } from './types.js';

/** UNDO read and written by one call at most, bytes, and a segment more: about a tenth of a second of work. */
const WORK_BYTES_MAX = 64 * 1024 * 1024;
/** Bytes at which the growing segment is closed, so that what a busy volume wrote before one call has come to rest some calls later. */
const REST_BYTES_MIN = 256 * 1024;

export interface RetentionOptions extends Omit<ConsolidationOptions, 'examined'> {
  readonly manifest: Manifest;
  readonly replica: Replica;
  readonly images: OpenImages;
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

  /** `assertGoingOn` throws if the work is to end, between two segments. */
  retain(asked: Retained, assertGoingOn: () => void): Promise<RetainResult> {
    const result = this.#running.then(() => this.#retain(asked, assertGoingOn));
    this.#running = result.catch(() => undefined);
    return result;
  }

  /** Resolves once no call works any more; never rejects. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #retain(asked: Retained, assertGoingOn: () => void): Promise<RetainResult> {
    assertGoingOn();
    const { manifest, undo, images } = this.#options;
    if ((undo.growing?.bytes ?? 0) >= REST_BYTES_MIN) undo.seal();
    await this.#letGo(asked);
    let freedBytes = undo.retire(manifest.trimPosition);
    images.deleteUnneeded();
    const budget = { bytes: WORK_BYTES_MAX };
    let done = false;
    try {
      while (!done && budget.bytes > 0) {
        this.#consolidation ??= new Consolidation(manifest.retained, { ...this.#options, examined: this.#examined });
        const consolidation = this.#consolidation;
        const part = await consolidation.run(budget, assertGoingOn);
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

  /** Once it is stored that a position is let go of, UNDO that only it needed may go, in any order. */
  async #letGo(asked: Retained): Promise<void> {
    const { manifest, replica, sync, applied } = this.#options;
    const { position, timeMs } = applied();
    const retained = narrowed(manifest.retained, asked, position);
    if (isSame(retained, manifest.retained)) return;
    // All at or before the floor is never redone, so that no sums are needed from UNDO that goes.
    if (sync) await replica.commit();
    const before = { retained: manifest.retained, trimPosition: manifest.trimPosition, floor: manifest.floor };
    Object.assign(manifest, { retained, trimPosition: oldest(retained), floor: { position, timeMs } });
    try {
      await manifest.save();
    } catch (error) {
      // No file has gone yet. The wider facts are as true, whichever are stored.
      Object.assign(manifest, before);
      throw error;
    }
  }
}
