// A recovery point of one volume as the disk of one connection: read-only, or with a scratch for
// its writes.
import type { BlockDevice, BlockSizes, DeviceContexts, ZeroesOptions } from '../../../nbd/block-device.js';
import { NbdError } from '../../../nbd/errors.js';
import { ReadAhead } from './read-ahead.js';
import type { ScratchDisk } from './scratch-disk.js';
import { imageContexts, nbdErrorOfSite } from './image-contexts.js';
import type { SiteImage } from './site-image.js';

const BLOCK_SIZES: BlockSizes = { minimum: 1, preferred: 4096, maximum: 32 * 1024 * 1024 };

/** Bytes that one connection read and wrote. */
export interface Traffic {
  readonly readBytes: number;
  readonly writtenBytes: number;
}

export interface ImageDeviceOptions {
  readonly image: SiteImage;
  readonly description: string;
  readonly scratch?: ScratchDisk | undefined;
  /** Whether other connections use the same scratch. */
  readonly shared: boolean;
  /** Ends the connection when aborted. */
  readonly gone?: AbortSignal | undefined;
  readonly onClose: (traffic: Traffic) => Promise<void> | void;
}

export class ImageDevice implements BlockDevice {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly blockSizes = BLOCK_SIZES;
  /** False for a scratch of the connection's own: each connection then sees another disk. */
  readonly canMultiConn: boolean;
  readonly description: string;
  readonly gone?: AbortSignal;
  readonly contexts: DeviceContexts;
  readonly #image: SiteImage;
  readonly #scratch: ScratchDisk | undefined;
  readonly #reads: ReadAhead;
  readonly #onClose: ImageDeviceOptions['onClose'];
  #readBytes = 0;
  #writtenBytes = 0;

  constructor({ image, description, scratch, shared, gone, onClose }: ImageDeviceOptions) {
    this.sizeBytes = image.held.sizeBytes;
    this.readOnly = scratch === undefined;
    this.canMultiConn = scratch === undefined || shared;
    this.description = description;
    if (gone !== undefined) this.gone = gone;
    this.contexts = imageContexts(image, scratch);
    this.#image = image;
    this.#scratch = scratch;
    this.#reads = new ReadAhead(this.sizeBytes, async (offset, length) => image.read(offset, length));
    this.#onClose = onClose;
  }

  get traffic(): Traffic {
    return { readBytes: this.#readBytes, writtenBytes: this.#writtenBytes };
  }

  async read(offset: number, length: number): Promise<Buffer> {
    this.#readBytes += length;
    return this.#answering(async () => {
      const below = async (at: number, bytes: number): Promise<Buffer> => this.#reads.read(at, bytes);
      return this.#scratch === undefined ? below(offset, length) : this.#scratch.read(offset, length, below);
    });
  }

  async write(offset: number, data: Buffer, fua: boolean): Promise<void> {
    const scratch = this.#writable();
    this.#writtenBytes += data.length;
    return this.#answering(async () =>
      scratch.write(offset, data, fua, async (at, bytes) => this.#image.read(at, bytes)),
    );
  }

  async zeroes(offset: number, length: number, options: ZeroesOptions): Promise<void> {
    const scratch = this.#writable();
    return this.#answering(async () =>
      scratch.zeroes(offset, length, options, async (at, bytes) => this.#image.read(at, bytes)),
    );
  }

  async flush(): Promise<void> {
    return this.#scratch?.flush();
  }

  async close(): Promise<void> {
    this.#reads.close();
    await this.#onClose(this.traffic);
  }

  #writable(): ScratchDisk {
    if (this.#scratch === undefined) throw new NbdError('EPERM', 'an image is read-only');
    return this.#scratch;
  }

  async #answering<Result>(request: () => Promise<Result>): Promise<Result> {
    try {
      return await request();
    } catch (error) {
      throw nbdErrorOfSite(error);
    }
  }
}
