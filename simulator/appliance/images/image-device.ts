// A recovery point of one volume as a read-only disk.
import { MoverError } from '../../../contracts/errors.js';
import type { BlockDevice, BlockSizes } from '../../../nbd/block-device.js';
import { NbdError } from '../../../nbd/errors.js';
import type { ReadAhead } from './read-ahead.js';

const BLOCK_SIZES: BlockSizes = { minimum: 1, preferred: 4096, maximum: 32 * 1024 * 1024 };

export class ImageDevice implements BlockDevice {
  readonly sizeBytes: number;
  readonly readOnly = true;
  readonly blockSizes = BLOCK_SIZES;
  /** What is read never changes, so there is nothing that one connection could miss of another. */
  readonly canMultiConn = true;
  readonly description: string;
  readonly #reads: ReadAhead;
  readonly #onClose: () => Promise<void>;

  constructor(options: {
    readonly sizeBytes: number;
    readonly description: string;
    readonly reads: ReadAhead;
    readonly onClose: () => Promise<void>;
  }) {
    this.sizeBytes = options.sizeBytes;
    this.description = options.description;
    this.#reads = options.reads;
    this.#onClose = options.onClose;
  }

  async read(offset: number, length: number): Promise<Buffer> {
    try {
      return await this.#reads.read(offset, length);
    } catch (error) {
      if (error instanceof MoverError) throw new NbdError('EIO', error.message, { cause: error });
      throw error;
    }
  }

  write(): void {
    throw readOnly();
  }

  zeroes(): void {
    throw readOnly();
  }

  flush(): void {
    // Nothing was written.
  }

  async close(): Promise<void> {
    await this.#onClose();
  }
}

function readOnly(): NbdError {
  return new NbdError('EPERM', 'an image is read-only');
}
