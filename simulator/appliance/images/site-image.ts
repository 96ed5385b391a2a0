// One image at the replica site, held at its position: reopened when the site has lost it, waited
// for while the site is unreachable.
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { ERRORS, MoverError } from '../../../contracts/errors.js';
import type { PointId, VolumeId } from '../../../contracts/ids.js';
import type { RecoveryPoint } from '../../../contracts/point.js';
import { IMAGE_MAP_BYTES_MAX, type replicaSiteApi } from '../../../contracts/replica-site-api.js';
import type { OutputOf } from '../../../contracts/route.js';
import type { SiteClient } from '../site-client.js';
import type { ImageReader } from './image-reader.js';

type Api = typeof replicaSiteApi;

/**
 * Longest wait of a read for a replica site that restarts or a link that is down, ms: less than a
 * guest's own time-out (30 s).
 */
export const SITE_AWAY_MS_MAX = 20_000;
const RETRY_EVERY_MS = 250;
/** Longest opening, ms. Opening takes time in proportion to what has changed since the position. */
const OPEN_MS_MAX = 60_000;

export interface SiteImageParts {
  readonly site: Pick<SiteClient, 'call'>;
  readonly reader: Pick<ImageReader, 'read'>;
  readonly log: Logger;
  readonly siteAwayMsMax?: number | undefined;
  /** Once aborted, no read waits for the replica site any more. */
  readonly stopping: AbortSignal;
}

export interface ImageWanted {
  readonly volume: VolumeId;
  /** The newest state when absent. */
  readonly point?: PointId | undefined;
  /** The client's name in the replica site's log. */
  readonly client: string;
}

/** An image in its stored form: the next process can hold it again. */
export interface HeldImage extends ImageWanted {
  readonly image: string;
  readonly sizeBytes: number;
  readonly position: number;
}

export class SiteImage {
  readonly #parts: SiteImageParts;
  readonly #held: Omit<HeldImage, 'image'>;
  readonly #closing = new AbortController();
  #image: string;
  #reopening: Promise<void> | undefined;
  #lost: MoverError | undefined;
  #onLost: ((error: MoverError) => void) | undefined;

  /** Opens an image. @throws MoverError the site's, UNREACHABLE, LINK_DOWN; the signal's reason */
  static async open(parts: SiteImageParts, wanted: ImageWanted, signal?: AbortSignal): Promise<SiteImage> {
    const deadline = AbortSignal.timeout(OPEN_MS_MAX);
    const either = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
    const opened = await parts.site.call('openImage', inputOf(wanted), either);
    return new SiteImage(parts, { ...wanted, ...opened });
  }

  /** Continues with an image of an earlier process, which the site may have closed since. */
  constructor(parts: SiteImageParts, { image, ...held }: HeldImage) {
    this.#parts = parts;
    this.#held = held;
    this.#image = image;
  }

  get held(): HeldImage {
    return { ...this.#held, image: this.#image };
  }

  get image(): string {
    return this.#image;
  }

  /** Sets a listener that is called once, when the image can no longer be opened. */
  onLost(listener: (error: MoverError) => void): void {
    this.#onLost = listener;
    if (this.#lost !== undefined) listener(this.#lost);
  }

  /**
   * Reads; waits up to `siteAwayMsMax` for an unreachable replica site.
   * @throws MoverError the site's own; UNREACHABLE, LINK_DOWN after that wait; SHUTTING_DOWN once
   * closed
   */
  async read(offset: number, length: number): Promise<Buffer> {
    return this.#asking(async (image) => this.#parts.reader.read(image, offset, length, this.#closing.signal));
  }

  /**
   * Which parts of the range surely read as zeroes, from its start on. Waits as `read`.
   * @throws as `read`
   */
  async parts(offset: number, length: number): Promise<OutputOf<Api['mapImage']>['parts']> {
    const range = { offset, length: Math.min(length, IMAGE_MAP_BYTES_MAX) };
    const ask = async (image: string) => this.#parts.site.call('mapImage', { image, ...range }, this.#closing.signal);
    return (await this.#asking(ask)).parts;
  }

  /**
   * Which parts of the range may differ from an earlier point, from its start on. Waits as `read`.
   * @throws as `read`
   */
  async changes(since: PointId, offset: number, length: number): Promise<OutputOf<Api['imageChanges']>['parts']> {
    const range = { since, offset, length: Math.min(length, IMAGE_MAP_BYTES_MAX) };
    const ask = async (image: string) =>
      this.#parts.site.call('imageChanges', { image, ...range }, this.#closing.signal);
    return (await this.#asking(ask)).parts;
  }

  /** The points of the volume that the image may be compared with: the newest page of them. */
  async earlierPoints(): Promise<readonly PointId[]> {
    const { volume, position } = this.#held;
    const { points } = await this.#parts.site.call('listPoints', { volume }, this.#closing.signal);
    const isEarlier = (point: RecoveryPoint): boolean =>
      point.members.some((member) => member.volume === volume && member.position <= position);
    return points.filter(isEarlier).map(({ id }) => id);
  }

  /** Reopens an image that the site no longer has. Waits for the site as `read`. Never rejects. */
  async reopen(image: string): Promise<void> {
    await this.#retrying(async () => this.#reopen(image)).catch((error: unknown) => {
      this.#parts.log.warn({ err: error, ...this.#held }, 'an image could not be opened again');
    });
  }

  /** Notes that the site closed the image: open images took too much storage or memory. */
  evicted(): void {
    this.#lose(
      new MoverError('IMAGE_EVICTED', 'The image was closed because open images took too much storage or memory.'),
    );
  }

  /** Closes the image; the site itself closes unread ones. Never rejects. May be called again. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new MoverError('SHUTTING_DOWN', 'The image is being closed.'));
    await this.#reopening?.catch(() => undefined);
    if (this.#lost === undefined) await this.#closeAtSite(this.#image);
  }

  /** Lets go of the image without closing it: the next process continues with it. */
  release(): void {
    this.#closing.abort(new MoverError('SHUTTING_DOWN', 'The appliance is shutting down.'));
  }

  /** Asks about the image; opens it again if the site no longer has it. */
  async #asking<Result>(ask: (image: string) => Promise<Result>): Promise<Result> {
    return this.#retrying(async () => {
      const image = this.#image;
      try {
        return await ask(image);
      } catch (error) {
        if (!(error instanceof MoverError)) throw error;
        if (error.code === 'IMAGE_EVICTED') this.#lose(error);
        if (error.code !== 'IMAGE_NOT_FOUND') throw error;
        await this.#reopen(image);
        return ask(this.#image);
      }
    });
  }

  async #retrying<Result>(attempt: () => Promise<Result>): Promise<Result> {
    const deadlineMs = performance.now() + (this.#parts.siteAwayMsMax ?? SITE_AWAY_MS_MAX);
    for (;;) {
      this.#closing.signal.throwIfAborted();
      if (this.#lost !== undefined) throw this.#lost;
      try {
        return await attempt();
      } catch (error) {
        const givesUp = performance.now() > deadlineMs || this.#parts.stopping.aborted || this.#closing.signal.aborted;
        if (givesUp || !(error instanceof MoverError && mayRecover(error))) throw error;
      }
      await pause(RETRY_EVERY_MS, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  /**
   * Reopens the missing image. Concurrent callers share one opening; later callers find that the
   * image has already been replaced.
   */
  async #reopen(missing: string): Promise<void> {
    if (missing !== this.#image) return;
    this.#reopening ??= this.#openAgain().finally(() => {
      this.#reopening = undefined;
    });
    await this.#reopening;
  }

  async #openAgain(): Promise<void> {
    const { log } = this.#parts;
    const { volume, position, point } = this.#held;
    try {
      const opened = await this.#openSame();
      if (opened.position !== position) {
        await this.#closeAtSite(opened.image);
        const message = `Point ${point} is at position ${opened.position} of volume "${volume}" now, not at ${position}.`;
        throw new MoverError('POINT_NOT_FOUND', message);
      }
      if (this.#closing.signal.aborted) await this.#closeAtSite(opened.image);
      this.#image = opened.image;
      log.info({ volume, position, point, image: opened.image }, 'image opened again at the same position');
    } catch (error) {
      if (error instanceof MoverError && ERRORS[error.code].endsImage === true) this.#lose(error);
      throw error;
    }
  }

  /**
   * Opens by the point, which the site then keeps for the image; by the position if the point was
   * dropped or there is none.
   */
  async #openSame(): Promise<{ readonly image: string; readonly position: number }> {
    const { site } = this.#parts;
    const { volume, position, point, client } = this.#held;
    const signal = AbortSignal.timeout(OPEN_MS_MAX);
    if (point !== undefined) {
      try {
        return await site.call('openImage', { volume, point, client }, signal);
      } catch (error) {
        if (!(error instanceof MoverError) || error.code !== 'POINT_NOT_FOUND') throw error;
      }
    }
    return site.call('openImage', { volume, position, client }, signal);
  }

  #lose(error: MoverError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    this.#parts.log.warn({ ...this.#held, code: error.code, reason: error.message }, 'an image is lost');
    this.#onLost?.(error);
  }

  async #closeAtSite(image: string): Promise<void> {
    const { site, log } = this.#parts;
    await site.call('closeImage', { image }).catch((error: unknown) => log.debug({ err: error, image }, 'not closed'));
  }
}

/** Whether a retry may help. IMAGE_NOT_FOUND: it was closed between opening and reading. */
function mayRecover(error: MoverError): boolean {
  return error.retryable || error.code === 'IMAGE_NOT_FOUND';
}

function inputOf({ volume, point, client }: ImageWanted): {
  readonly volume: VolumeId;
  readonly point?: PointId;
  readonly client: string;
} {
  return { volume, client, ...(point === undefined ? {} : { point }) };
}
