// Images open for reading: a bounded number. An image that nobody reads any more is closed.
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import type { PointId, VolumeId } from '../../contracts/ids.js';
import { newestPosition, positionIn } from './core/points.js';
import { sizeAt } from './core/sizes.js';
import { aloneBytes, type BurdenLimits, burdenOf } from './image-burden.js';
import { assertUndamaged } from './damage-text.js';
import { failureOfJournal } from './journal-failure.js';
import type { Journals } from './journals.js';
import type { Changes, Image } from './journal/terms/types.js';
import { RegionDigester } from '../digest/region-digest.js';
import type { Allocated } from '../disk/holes.js';
import type { Site } from './site.js';

/**
 * Most images open at once: two accesses to a group of the default greatest size. Their cost has
 * limits of its own.
 */
export const OPEN_IMAGES_MAX = 256;
/** An image that nobody reads for this long is closed: its reader died without closing it. */
export const IMAGE_IDLE_MS_MAX = 10 * 60_000;
/** How often idle images are looked for. */
const IDLE_CHECK_EVERY_MS = 30_000;
/**
 * Most parts in one answer about an image's holes or changes: a few milliseconds of work. The
 * caller asks again for the rest.
 */
const PARTS_MAX = 1_024;
/** Most points that one open image remembers its changes since. */
const CHANGES_PER_IMAGE_MAX = 4;
/** Most evicted images that are remembered, so that their readers are told why they are gone. */
const EVICTED_KEPT_MAX = 1_000;

export interface ImageLimits extends BurdenLimits {
  readonly openImagesMax?: number | undefined;
  readonly imageIdleMsMax?: number | undefined;
  /** How often idle images and the images' cost are checked. */
  readonly imageCheckEveryMs?: number | undefined;
}

export interface ImagesOptions extends ImageLimits {
  readonly site: Site;
  readonly journals: Journals;
  readonly log: Logger;
}

interface FoundChanges {
  readonly found: Promise<Changes>;
  /** Ranges held in memory, once they are found. */
  count: number;
}

interface OpenImage {
  readonly volume: VolumeId;
  readonly point: PointId | undefined;
  readonly image: Image;
  /** Size of the volume at the image's position, bytes. */
  readonly sizeBytes: number;
  readonly client: string;
  /** When it was opened, by the monotonic clock, as `readAtMs` is. */
  readonly openedAtMs: number;
  readAtMs: number;
  /** What changed since other points, by point: the most recently asked for are last. */
  readonly changes: Map<PointId, FoundChanges>;
  /** Makes its digests; undefined unless it was opened to be compared. */
  readonly digester: RegionDigester | undefined;
}

/** A part of an image that differs from an earlier point, or doesn't. */
export interface ChangedPart {
  readonly length: number;
  readonly isChanged: boolean;
}

export class Images {
  readonly #options: ImagesOptions;
  readonly #openImagesMax: number;
  readonly #idleMsMax: number;
  readonly #images = new Map<string, OpenImage>();
  readonly #idleCheck: NodeJS.Timeout;
  readonly #evicted = new Set<string>();
  readonly #opening = new Set<{ readonly volume: VolumeId }>();
  #warnings: readonly string[] = [];
  #checking = false;

  constructor(options: ImagesOptions) {
    this.#options = options;
    this.#openImagesMax = options.openImagesMax ?? OPEN_IMAGES_MAX;
    this.#idleMsMax = options.imageIdleMsMax ?? IMAGE_IDLE_MS_MAX;
    const everyMs = options.imageCheckEveryMs ?? Math.min(IDLE_CHECK_EVERY_MS, this.#idleMsMax);
    this.#idleCheck = setInterval(() => void this.#check(), everyMs);
    this.#idleCheck.unref();
  }

  /** Points with open images: retention keeps them meanwhile. */
  get points(): ReadonlySet<PointId> {
    return new Set(
      [...this.#images.values()].flatMap(({ point, changes }) => [
        ...(point === undefined ? [] : [point]),
        ...changes.keys(),
      ]),
    );
  }

  /**
   * Opens a volume at a point, at a position, or at the newest position that is applied.
   * @throws MoverError VOLUME_NOT_FOUND, VOLUME_RETIRED (it is being forgotten), POINT_NOT_FOUND,
   * POINT_UNAVAILABLE, POINT_TRIMMED, POINT_DAMAGED, IMAGE_LIMIT, INVALID_REQUEST (both a point and
   * a position are given), CORRUPT, INTERNAL
   */
  async open(
    {
      volume,
      point,
      position: given,
      evenInHole = false,
      key,
      hasPresentSize = false,
      client,
    }: {
      readonly volume: VolumeId;
      readonly point?: PointId | undefined;
      readonly position?: number | undefined;
      /**
       * Opens the given position even in a hole or damaged, to compare it with its source. Reads of
       * damaged blocks are refused.
       */
      readonly evenInHole?: boolean;
      /** The key of the digests that its opener will ask for. */
      readonly key?: string;
      /** Gives it the size that its source has now, with zeroes behind a former end. */
      readonly hasPresentSize?: boolean;
      readonly client: string;
    },
    signal: AbortSignal,
  ): Promise<{ readonly image: string; readonly sizeBytes: number; readonly position: number }> {
    const { site, journals, log } = this.#options;
    if (this.#images.size + this.#opening.size >= this.#openImagesMax)
      throw new MoverError('IMAGE_LIMIT', `${this.#openImagesMax} images are open already.`);
    const opening = { volume };
    this.#opening.add(opening);
    try {
      if (site.state.volume(volume).forgetting !== undefined)
        throw new MoverError('VOLUME_RETIRED', `Volume "${volume}" is being forgotten: nothing of it opens any more.`);
      const journal = await journals.journal(volume);
      const position = evenInHole && given !== undefined ? given : this.#positionOf(volume, given, point);
      if (!evenInHole) assertUndamaged(volume, position, journal);
      const image = await journal.openImage(position, signal, evenInHole);
      // The caller is gone and can't close it.
      if (signal.aborted) image.close();
      signal.throwIfAborted();
      const row = site.state.volume(volume);
      const sizeBytes = hasPresentSize ? row.sizeBytes : sizeAt(row, position);
      const id = randomUUID();
      this.#images.set(id, {
        volume,
        point,
        image,
        sizeBytes,
        client,
        openedAtMs: performance.now(),
        readAtMs: performance.now(),
        changes: new Map(),
        digester: key === undefined ? undefined : new RegionDigester(key),
      });
      log.info({ image: id, volume, point, position, client }, 'image opened');
      return { image: id, sizeBytes, position };
    } catch (error) {
      throw failureOfJournal(volume, error);
    } finally {
      this.#opening.delete(opening);
    }
  }

  /**
   * Reads bytes of the volume from an image.
   * @throws MoverError IMAGE_NOT_FOUND, IMAGE_EVICTED, INVALID_REQUEST (not within the volume),
   * CORRUPT
   */
  async read(id: string, offset: number, length: number): Promise<Buffer> {
    const open = this.#images.get(id);
    if (open === undefined) throw this.#notOpen(id);
    open.readAtMs = performance.now();
    try {
      return await open.image.read(offset, length);
    } catch (error) {
      throw failureOfJournal(open.volume, error);
    }
  }

  /**
   * Fills the buffer from an image: with whole blocks.
   * @throws MoverError as `read`
   */
  async readInto(id: string, offset: number, into: Buffer): Promise<void> {
    const open = this.#images.get(id);
    if (open === undefined) throw this.#notOpen(id);
    open.readAtMs = performance.now();
    try {
      await open.image.readInto(offset, into);
    } catch (error) {
      throw failureOfJournal(open.volume, error);
    }
  }

  /**
   * Which parts of an image surely read as zeroes: from the range's start on, as many as one answer
   * has.
   * @throws MoverError IMAGE_NOT_FOUND, IMAGE_EVICTED, INVALID_REQUEST
   */
  async parts(id: string, offset: number, length: number): Promise<readonly Allocated[]> {
    const open = this.#readable(id, offset, length);
    try {
      return await open.image.parts(offset, length, PARTS_MAX);
    } catch (error) {
      throw failureOfJournal(open.volume, error);
    }
  }

  /**
   * What is at `offset`: zeroes that nobody has to read, or data.
   * @returns a part that is no longer than `length`
   * @throws MoverError IMAGE_NOT_FOUND, IMAGE_EVICTED
   */
  async partFrom(id: string, offset: number, length: number): Promise<Allocated> {
    const open = this.#images.get(id);
    if (open === undefined) throw this.#notOpen(id);
    try {
      return await open.image.partFrom(offset, length);
    } catch (error) {
      throw failureOfJournal(open.volume, error);
    }
  }

  /**
   * Makes the digests of an image that was opened at a mark.
   * @throws MoverError IMAGE_NOT_FOUND, IMAGE_EVICTED, INVALID_REQUEST (any other image)
   */
  digesterOf(id: string): RegionDigester {
    const open = this.#images.get(id);
    if (open === undefined) throw this.#notOpen(id);
    if (open.digester === undefined)
      throw new MoverError('INVALID_REQUEST', `image: image ${id} was not opened at a mark, so it has no digests.`);
    return open.digester;
  }

  /**
   * Which parts of an image may differ from an earlier point of its volume: from the range's start
   * on, as many as one answer has.
   * @throws MoverError IMAGE_NOT_FOUND, IMAGE_EVICTED, INVALID_REQUEST (also: the point is later),
   * POINT_NOT_FOUND, POINT_UNAVAILABLE, POINT_DAMAGED, POINT_TRIMMED; the signal's reason
   */
  async changes(
    {
      image: id,
      since,
      offset,
      length,
    }: {
      readonly image: string;
      readonly since: PointId;
      readonly offset: number;
      readonly length: number;
    },
    signal: AbortSignal,
  ): Promise<readonly ChangedPart[]> {
    const open = this.#readable(id, offset, length);
    try {
      const changes = await this.#changesSince(open, since, signal);
      return changedParts(changes, offset, length);
    } catch (error) {
      throw failureOfJournal(open.volume, error);
    }
  }

  async #changesSince(open: OpenImage, since: PointId, signal: AbortSignal): Promise<Changes> {
    const known = open.changes.get(since) ?? { found: this.#findChanges(open, since, signal), count: 0 };
    open.changes.delete(since);
    open.changes.set(since, known);
    for (const oldest of open.changes.keys()) {
      if (open.changes.size <= CHANGES_PER_IMAGE_MAX) break;
      open.changes.delete(oldest);
    }
    try {
      const changes = await known.found;
      known.count = changes.count;
      return changes;
    } catch (error) {
      if (open.changes.get(since) === known) open.changes.delete(since);
      throw error;
    }
  }

  async #findChanges({ volume, image }: OpenImage, since: PointId, signal: AbortSignal): Promise<Changes> {
    const { site, journals } = this.#options;
    const { state } = site;
    const from = positionIn(state, state.point(since), volume);
    if (from > image.position)
      throw new MoverError('INVALID_REQUEST', `since: point ${since} is later than the image of volume "${volume}".`);
    const journal = await journals.journal(volume);
    assertUndamaged(volume, from, journal);
    return journal.changedBetween(from, image.position, signal);
  }

  #readable(id: string, offset: number, length: number): OpenImage {
    const open = this.#images.get(id);
    if (open === undefined) throw this.#notOpen(id);
    open.readAtMs = performance.now();
    const sizeBytes = this.sizeOf(id);
    if (offset + length > sizeBytes)
      throw new MoverError(
        'INVALID_REQUEST',
        `length: ${length} bytes at ${offset} are not all within the image of ${sizeBytes} bytes.`,
      );
    return open;
  }

  /**
   * Size of the image, bytes.
   * @throws MoverError IMAGE_NOT_FOUND, IMAGE_EVICTED
   */
  sizeOf(id: string): number {
    const open = this.#images.get(id);
    if (open === undefined) throw this.#notOpen(id);
    return open.sizeBytes;
  }

  /** How many images are open. */
  get count(): number {
    return this.#images.size;
  }

  /** How many images of the volume are open, or about to be. */
  countOf(volume: VolumeId): number {
    return [...this.#images.values(), ...this.#opening].filter((open) => open.volume === volume).length;
  }

  /** Closes an image. Does nothing if it is closed already. */
  close(id: string): void {
    const open = this.#images.get(id);
    if (open === undefined) return;
    this.#images.delete(id);
    open.image.close();
    this.#options.log.info({ image: id, volume: open.volume, client: open.client }, 'image closed');
  }

  /**
   * Keeps images open: they count as read now.
   * @returns the ids that are not open any more.
   */
  keep(ids: readonly string[]): { readonly missing: string[]; readonly evicted: string[] } {
    const nowMs = performance.now();
    for (const id of ids) {
      const open = this.#images.get(id);
      if (open !== undefined) open.readAtMs = nowMs;
    }
    const gone = ids.filter((id) => !this.#images.has(id));
    const evicted = gone.filter((id) => this.#evicted.has(id));
    return { missing: gone.filter((id) => !this.#evicted.has(id)), evicted };
  }

  /** Sentences about limits that the open images are near to. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  stop(): void {
    clearInterval(this.#idleCheck);
    for (const id of this.#images.keys()) this.close(id);
  }

  #positionOf(volume: VolumeId, position: number | undefined, point: PointId | undefined): number {
    const { state } = this.#options.site;
    if (position === undefined)
      return point === undefined ? newestPosition(state, volume) : positionIn(state, state.point(point), volume);
    if (point !== undefined)
      throw new MoverError('INVALID_REQUEST', 'position: give either "point" or "position", not both.');
    if (state.inHole(volume, position))
      throw new MoverError('POINT_UNAVAILABLE', `Volume "${volume}" is in short initialization at ${position}.`);
    return position;
  }

  #notOpen(id: string): MoverError {
    return this.#evicted.has(id)
      ? new MoverError('IMAGE_EVICTED', `Image ${id} was closed because open images needed too much UNDO or memory.`)
      : new MoverError('IMAGE_NOT_FOUND', `There is no open image ${id}.`);
  }

  /** Never rejects. */
  async #check(): Promise<void> {
    this.#closeIdle();
    if (this.#checking) return;
    this.#checking = true;
    try {
      await this.#closeBurdening();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the cost of open images could not be checked');
    } finally {
      this.#checking = false;
    }
  }

  async #closeBurdening(): Promise<void> {
    const { site, journals, log } = this.#options;
    const open = [...this.#images].map(([id, each]) => ({ id, ...each, image: burdenOfOne(each) }));
    const alone = await aloneBytes(open, site.state, site.now.ageMs, journals, (volume, error) =>
      log.warn({ err: error, volume }, "the UNDO kept for a volume's open images is unknown"),
    );
    const { evict, warnings } = burdenOf(open, alone, this.#options);
    for (const warning of warnings) if (!this.#warnings.includes(warning)) log.warn({ images: open.length }, warning);
    this.#warnings = warnings;
    for (const { id, why } of evict) {
      const image = this.#images.get(id);
      if (image === undefined) continue;
      log.warn({ image: id, volume: image.volume, client: image.client, why }, 'closing the oldest image');
      this.close(id);
      this.#evicted.add(id);
      const [first] = this.#evicted;
      if (first !== undefined && this.#evicted.size > EVICTED_KEPT_MAX) this.#evicted.delete(first);
    }
  }

  #closeIdle(): void {
    const beforeMs = performance.now() - this.#idleMsMax;
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

/** An image with all ranges that it holds in memory. */
function burdenOfOne({ image, changes }: OpenImage): Pick<Image, 'position' | 'changedRanges'> {
  const { count, bytes } = image.changedRanges;
  const since = [...changes.values()].reduce((sum, each) => sum + each.count, 0);
  return { position: image.position, changedRanges: { count: count + since, bytes } };
}

function changedParts(changes: Changes, offset: number, length: number): ChangedPart[] {
  const end = offset + length;
  const ranges = changes.within(offset, end, PARTS_MAX);
  const parts: ChangedPart[] = [];
  let at = offset;
  for (const range of ranges) {
    if (range.start > at) parts.push({ length: range.start - at, isChanged: false });
    parts.push({ length: range.end - range.start, isChanged: true });
    at = range.end;
  }
  if (ranges.length < PARTS_MAX && at < end) parts.push({ length: end - at, isChanged: false });
  return parts;
}
