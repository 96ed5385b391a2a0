// Images that are open for reading: a bounded number, each closed by itself when nobody reads it any more.
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import type { PointId, VolumeId } from '../../contracts/ids.js';
import { newestPosition, positionIn } from './core/points.js';
import { failureOfJournal } from './journal-failure.js';
import type { Journals } from './journals.js';
import type { Image } from './journal/types.js';
import type { Site } from './site.js';

/** Images open at once: each keeps UNDO from being trimmed, and some memory for what it overlays. */
export const OPEN_IMAGES_MAX = 64;
/** An image that nobody reads for so long is taken for forgotten: its reader died without closing it. */
export const IMAGE_IDLE_MS_MAX = 10 * 60_000;
/** How often forgotten images are looked for. */
const IDLE_CHECK_EVERY_MS = 30_000;

export interface ImageLimits {
  readonly openImagesMax?: number | undefined;
  readonly imageIdleMsMax?: number | undefined;
}

export interface ImagesOptions extends ImageLimits {
  readonly site: Site;
  readonly journals: Journals;
  readonly log: Logger;
}

interface OpenImage {
  readonly volume: VolumeId;
  readonly image: Image;
  readonly client: string;
  readAtMs: number;
}

export class Images {
  readonly #options: ImagesOptions;
  readonly #openImagesMax: number;
  readonly #idleMsMax: number;
  readonly #images = new Map<string, OpenImage>();
  readonly #idleCheck: NodeJS.Timeout;
  #opening = 0;

  constructor(options: ImagesOptions) {
    this.#options = options;
    this.#openImagesMax = options.openImagesMax ?? OPEN_IMAGES_MAX;
    this.#idleMsMax = options.imageIdleMsMax ?? IMAGE_IDLE_MS_MAX;
    this.#idleCheck = setInterval(() => this.#closeIdle(), Math.min(IDLE_CHECK_EVERY_MS, this.#idleMsMax));
    this.#idleCheck.unref();
  }

  /**
   * Opens a volume at a point, or at the newest position that is applied.
   * @throws MoverError VOLUME_NOT_FOUND, POINT_NOT_FOUND, POINT_UNAVAILABLE, POINT_TRIMMED, IMAGE_LIMIT, CORRUPT, INTERNAL
   */
  async open(
    {
      volume,
      point,
      client,
    }: { readonly volume: VolumeId; readonly point?: PointId | undefined; readonly client: string },
    signal: AbortSignal,
  ): Promise<{ readonly image: string; readonly sizeBytes: number; readonly position: number }> {
    const { site, journals, log } = this.#options;
    if (this.#images.size + this.#opening >= this.#openImagesMax)
      throw new MoverError('IMAGE_LIMIT', `${this.#openImagesMax} images are open already.`);
    this.#opening += 1;
    try {
      site.state.volume(volume);
      const journal = await journals.journal(volume);
      const position =
        point === undefined
          ? newestPosition(site.state, volume)
          : positionIn(site.state, site.state.point(point), volume);
      const image = await journal.openImage(position, signal);
      const id = randomUUID();
      this.#images.set(id, { volume, image, client, readAtMs: Date.now() });
      log.info({ image: id, volume, point, position, client }, 'image opened');
      return { image: id, sizeBytes: journal.sizeBytes, position };
    } catch (error) {
      throw failureOfJournal(volume, error);
    } finally {
      this.#opening -= 1;
    }
  }

  /** @throws MoverError IMAGE_NOT_FOUND, INVALID_REQUEST (not within the volume), CORRUPT */
  async read(id: string, offset: number, length: number): Promise<Buffer> {
    const open = this.#images.get(id);
    if (open === undefined) throw new MoverError('IMAGE_NOT_FOUND', `There is no open image ${id}.`);
    open.readAtMs = Date.now();
    try {
      return await open.image.read(offset, length);
    } catch (error) {
      throw failureOfJournal(open.volume, error);
    }
  }

  /** No error if it is closed already. */
  close(id: string): void {
    const open = this.#images.get(id);
    if (open === undefined) return;
    this.#images.delete(id);
    open.image.close();
    this.#options.log.info({ image: id, volume: open.volume, client: open.client }, 'image closed');
  }

  stop(): void {
    clearInterval(this.#idleCheck);
    for (const id of this.#images.keys()) this.close(id);
  }

  #closeIdle(): void {
    const beforeMs = Date.now() - this.#idleMsMax;
    for (const [id, { volume, client, readAtMs }] of this.#images) {
      if (readAtMs > beforeMs) continue;
      this.#options.log.warn(
        { image: id, volume, client, idleMsMax: this.#idleMsMax },
        'closing an image that nobody reads',
      );
      this.close(id);
    }
  }
}
