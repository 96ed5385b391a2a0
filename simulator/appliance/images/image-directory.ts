// The images that an appliance serves over NBD: opened at the replica site when a client connects, closed when it leaves.
import type { Logger } from 'pino';
import { MoverError } from '../../../contracts/errors.js';
import type { PointId, VolumeId } from '../../../contracts/ids.js';
import type { BlockDevice, ExportDirectory, NbdPeer } from '../../../nbd/block-device.js';
import { NbdError } from '../../../nbd/errors.js';
import { latestExportName, parseExportName, type ExportName } from '../core/export-name.js';
import type { SiteClient } from '../site-client.js';
import { ImageDevice } from './image-device.js';
import type { ImageReader } from './image-reader.js';
import { ReadAhead } from './read-ahead.js';

export interface ImageDirectoryOptions {
  readonly appliance: string;
  readonly site: SiteClient;
  readonly reader: ImageReader;
  /** Volumes whose newest image is shown to clients that ask for a list. */
  readonly listed: () => Iterable<VolumeId>;
  readonly log: Logger;
}

export class ImageDirectory implements ExportDirectory {
  readonly #options: ImageDirectoryOptions;

  constructor(options: ImageDirectoryOptions) {
    this.#options = options;
  }

  list(): readonly string[] {
    return [...this.#options.listed()].map(latestExportName).toSorted();
  }

  /** @throws NbdError EPERM when the replica site refuses; undefined for a name that is none. */
  async open(name: string, peer: NbdPeer): Promise<BlockDevice | undefined> {
    const { log } = this.#options;
    const parsed = parseExportName(name);
    if (parsed === undefined) return undefined;
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

  async #open(parsed: ExportName, name: string, peer: NbdPeer): Promise<BlockDevice> {
    const { appliance, site, reader, log } = this.#options;
    const { volume } = parsed;
    const point = await this.#pointOf(parsed);
    const client = `${appliance} for ${peer.address}`;
    const { image, sizeBytes, position } = await site.call('openImage', {
      volume,
      client,
      ...(point === undefined ? {} : { point }),
    });
    const closing = new AbortController();
    return new ImageDevice({
      sizeBytes,
      description: `volume ${volume} at ${point ?? 'its newest state'} (position ${position}), read-only`,
      reads: new ReadAhead(sizeBytes, async (offset, length) => reader.read(image, offset, length, closing.signal)),
      onClose: async () => {
        closing.abort(new MoverError('SHUTTING_DOWN', 'The image is being closed.'));
        log.info({ export: name, peer: peer.address }, 'image access ended');
        // The site closes by itself what nobody reads.
        await site
          .call('closeImage', { image })
          .catch((error: unknown) => log.debug({ err: error, image }, 'image not closed'));
      },
    });
  }

  /** Undefined for the newest state. */
  async #pointOf(parsed: ExportName): Promise<PointId | undefined> {
    switch (parsed.kind) {
      case 'latest':
        return undefined;
      case 'point':
        return parsed.point;
      case 'time':
        return (await this.#options.site.call('findPoint', { volume: parsed.volume, atMs: parsed.atMs })).id;
    }
  }
}
