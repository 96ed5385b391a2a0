// Short initialization: sends marked regions again, region by region, whenever a volume's state
// lets it. Regions that the source can't read are retried at growing intervals, so that a broken
// disk takes neither other volumes' turns nor its own.
import type { Logger } from 'pino';
import { MoverError } from '../../../contracts/errors.js';
import { monotonicMs } from '../shared/clock.js';
import type { Comparisons } from './comparisons.js';
import type { ProtectedVolume, Resent } from '../volume/protected-volume.js';

/**
 * Most volumes that resend at the same time: guests' requests share the disk and the thread pool.
 */
const VOLUMES_AT_ONCE = 4;
/**
 * Unreadable regions in a row after which a volume rests: reading a broken disk may take seconds
 * each.
 */
const UNREADABLE_IN_A_ROW_MAX = 8;
/** Rest of a volume with regions that were not tried yet, in milliseconds. */
const REST_MS = 1_000;
/** First and longest delay until unreadable regions are tried again, in milliseconds. */
const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 60_000;
/** Unreadable regions tried at a time; all of them once one could be read. */
const RETRIED_AT_ONCE = 16;

/** Delay until the next try to store that a volume is compared, in milliseconds. */
const STORE_AGAIN_MS = 5_000;

interface Retry {
  readonly timer: NodeJS.Timeout;
  readonly unreadable: number;
  readonly delayMs: number;
  /** The delay is over: the outcome decides the next one. */
  isDue: boolean;
}

export class ShortInitialization {
  readonly #comparisons: Comparisons;
  readonly #store: (volume: ProtectedVolume) => void;
  readonly #log: Logger;
  readonly #waiting = new Set<ProtectedVolume>();
  readonly #running = new Set<ProtectedVolume>();
  readonly #resting = new Map<ProtectedVolume, NodeJS.Timeout>();
  readonly #retries = new Map<ProtectedVolume, Retry>();
  #isStopped = false;
  /** No try to store a comparison before this, by the monotonic clock. */
  #storeAfterMs = 0;

  /**
   * @param store stores whether the volume is compared.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED
   */
  constructor(comparisons: Comparisons, store: (volume: ProtectedVolume) => void, log: Logger) {
    this.#comparisons = comparisons;
    this.#store = store;
    this.#log = log;
  }

  /**
   * Starts or resumes a volume's short initialization if possible. Call it when the volume is
   * attached, resumed or unfenced, when records are confirmed, and when a write is only marked.
   */
  poke(volume: ProtectedVolume): void {
    if (volume.split.isSynced || this.#isStopped) return;
    this.#storeComparison(volume);
    this.#waiting.add(volume);
    this.#startWaiting();
  }

  /** Leaves a volume alone from now on: it is not protected any more. */
  forget(volume: ProtectedVolume): void {
    this.#waiting.delete(volume);
    clearTimeout(this.#resting.get(volume));
    this.#resting.delete(volume);
    clearTimeout(this.#retries.get(volume)?.timer);
    this.#retries.delete(volume);
  }

  stop(): void {
    this.#isStopped = true;
    this.#waiting.clear();
    for (const timer of this.#resting.values()) clearTimeout(timer);
    for (const { timer } of this.#retries.values()) clearTimeout(timer);
  }

  /** Starts waiting volumes. One that was poked while running stays waiting, and runs again. */
  #startWaiting(): void {
    for (const volume of this.#waiting) {
      if (this.#running.size >= VOLUMES_AT_ONCE) return;
      if (this.#running.has(volume) || this.#resting.has(volume)) continue;
      this.#waiting.delete(volume);
      if (!volume.initialize()) continue;
      this.#running.add(volume);
      void this.#run(volume);
    }
  }

  async #run(volume: ProtectedVolume): Promise<void> {
    try {
      await this.#resend(volume);
      if (volume.finishInitialization()) {
        await this.#comparisons.end(volume);
        volume.split.note('doubt', undefined);
        this.#storeComparison(volume);
        this.#log.info(
          { volume: volume.id, resentBytes: volume.split.describe().resentBytes },
          'short initialization ended',
        );
      }
      volume.split.note('initialization', undefined);
      volume.closeIfIdle();
    } catch (error) {
      this.#failed(volume, error);
    }
    this.#running.delete(volume);
    this.#retryLater(volume);
    this.#startWaiting();
  }

  /** Stores whether the volume is compared. Without that, a restart sends all that is marked. */
  #storeComparison(volume: ProtectedVolume): void {
    if (!volume.split.isComparisonUnstored || monotonicMs() < this.#storeAfterMs) return;
    try {
      this.#store(volume);
    } catch (error) {
      this.#storeAfterMs = monotonicMs() + STORE_AGAIN_MS;
      this.#log.warn({ err: error, volume: volume.id }, 'a volume’s comparison could not be stored');
    }
  }

  async #resend(volume: ProtectedVolume): Promise<void> {
    let inARow = 0;
    while (!this.#isStopped && volume.initialize()) {
      const resent = await this.#step(volume);
      if (resent === 'none') return;
      inARow = resent === 'unreadable' ? inARow + 1 : 0;
      if (inARow < UNREADABLE_IN_A_ROW_MAX) continue;
      this.#rest(volume);
      return;
    }
  }

  /**
   * Sends the next dirty region; compares doubted ones once none is left. So nothing known to be
   * missing waits for a comparison.
   */
  async #step(volume: ProtectedVolume): Promise<Resent> {
    const resent = await volume.resendNext();
    if (resent !== 'none' || volume.split.marks.doubted === 0 || !volume.split.hasRoomForResend) return resent;
    await this.#comparisons.step(volume);
    return 'sent';
  }

  #failed(volume: ProtectedVolume, error: unknown): void {
    const { id, split } = volume;
    if (error instanceof MoverError) {
      this.#log.warn({ err: error, volume: id }, 'the replica could not be compared');
      split.note('initialization', `The replica of volume "${id}" could not be compared: ${error.message}`);
    } else this.#log.error({ err: error, volume: id }, 'a short initialization was interrupted');
    this.#rest(volume);
  }

  /** Lets the volume rest, and resumes it after REST_MS, poked or not. */
  #rest(volume: ProtectedVolume): void {
    if (this.#isStopped) return;
    this.#waiting.add(volume);
    const timer = setTimeout(() => {
      this.#resting.delete(volume);
      this.#startWaiting();
    }, REST_MS);
    this.#resting.set(volume, timer);
  }

  /** Schedules the retry of unreadable regions. The delay grows until one becomes readable. */
  #retryLater(volume: ProtectedVolume): void {
    const { unreadable } = volume.split.marks;
    const before = this.#retries.get(volume);
    if (this.#isStopped || (before !== undefined && !before.isDue)) return;
    this.#retries.delete(volume);
    if (unreadable.size === 0) return;
    if (before === undefined)
      this.#log.error({ volume: volume.id, regions: unreadable.size }, 'parts of the source can’t be read');
    const isBetter = before === undefined || unreadable.size < before.unreadable;
    const delayMs = isBetter ? RETRY_FIRST_MS : Math.min(before.delayMs * 2, RETRY_LAST_MS);
    const retry: Retry = {
      unreadable: unreadable.size,
      delayMs,
      isDue: false,
      timer: setTimeout(() => {
        retry.isDue = true;
        volume.split.marks.retryUnreadable(isBetter && before !== undefined ? Infinity : RETRIED_AT_ONCE);
        this.poke(volume);
      }, delayMs),
    };
    this.#retries.set(volume, retry);
  }
}
