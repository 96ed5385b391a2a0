// What an appliance serves over NBD: the exports of image accesses, and single images. A single
// image is opened at the replica site when a client connects and closed when it leaves; "+rw" gives
// the connection its own scratch.
import type { Logger } from 'pino';
import { MoverError } from '../../../contracts/errors.js';
import type { PointId, VolumeId } from '../../../contracts/ids.js';
import type { BlockDevice, ExportDirectory, NbdPeer } from '../../../nbd/block-device.js';
import { NbdError } from '../../../nbd/errors.js';
import { latestExportName, parseExportName, type ImageName } from '../core/export-name.js';
import type { Accesses } from './accesses.js';
import { ImageDevice } from './image-device.js';
import type { ScratchDisk } from './scratch-disk.js';
import type { ScratchFolder } from './scratch-folder.js';
import { SiteImage, type SiteImageParts } from './site-image.js';

export interface ImageDirectoryOptions {
  readonly appliance: string;
  readonly parts: SiteImageParts;
  readonly accesses: Pick<Accesses, 'connect' | 'exportNames'>;
  readonly scratch: ScratchFolder;
  /** Volumes whose newest image is listed to clients. */
  readonly listed: () => Iterable<VolumeId>;
  readonly log: Logger;
}

export class ImageDirectory implements ExportDirectory {
  readonly #options: ImageDirectoryOptions;

  constructor(options: ImageDirectoryOptions) {
    this.#options = options;
  }

  list(): readonly string[] {
    const { accesses, listed } = this.#options;
    return [...accesses.exportNames, ...[...listed()].map(latestExportName)].toSorted();
  }

  /** Opens an export; undefined if there is none. @throws NbdError EPERM if the site refuses */
  async open(name: string, peer: NbdPeer): Promise<BlockDevice | undefined> {
    const { accesses, log } = this.#options;
    const parsed = parseExportName(name, Date.now());
    if (parsed === undefined) return undefined;
    if (parsed.kind === 'access') return accesses.connect(parsed.access, parsed.volume, peer);
    try {
      const device = await this.#open(parsed, name, peer);
      log.info({ export: name, peer: peer.address }, 'image access');
      return device;
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      log.info({ export: name, peer: peer.address, code: error.code, reason: error.message }, 'image access refused');
      if (error.code === 'VOLUME_NOT_FOUND' || error.code === 'POINT_NOT_FOUND') return undefined;
      throw new NbdError('EPERM', error.message, { cause: error });
    }
  }

  async #open(parsed: ImageName, name: string, peer: NbdPeer): Promise<BlockDevice> {
    const { appliance, parts, scratch, log } = this.#options;
    const { volume, writable } = parsed;
    const point = await this.#pointOf(parsed);
    const image = await SiteImage.open(parts, { volume, point, client: `${appliance} for ${peer.address}` });
    const { sizeBytes, position } = image.held;
    const openedAtMs = performance.now();
    const about = { export: name, peer: peer.address, volume };
    const disk = writable
      ? await scratchFor(image, () => scratch.make({ sizeBytes, budget: scratch.budget(), owner: about }))
      : undefined;
    const how = writable ? 'writes are discarded at the end' : 'read-only';
    return new ImageDevice({
      image,
      scratch: disk,
      shared: false,
      description: `volume ${volume} at ${point ?? 'its newest state'} (position ${position}), ${how}`,
      onClose: async (traffic) => {
        log.info({ ...about, ...traffic, openForMs: Math.round(performance.now() - openedAtMs) }, 'image access ended');
        disk?.discard();
        await image.close();
      },
    });
  }

  /** The point to open; undefined for the newest state. */
  async #pointOf(parsed: ImageName): Promise<PointId | undefined> {
    switch (parsed.kind) {
      case 'latest':
        return undefined;
      case 'point':
        return parsed.point;
      case 'time':
        return (await this.#options.parts.site.call('findPoint', { volume: parsed.volume, atMs: parsed.atMs })).id;
    }
  }
}

/** Makes a scratch. @throws MoverError STORAGE_FULL, STORAGE_FAILED; the image is then closed */
async function scratchFor(image: SiteImage, make: () => ScratchDisk): Promise<ScratchDisk> {
  try {
    return make();
  } catch (error) {
    await image.close();
    throw error;
  }
}
