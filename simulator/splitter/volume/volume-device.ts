// A virtual volume as one guest connection sees it over NBD.
import type { BlockDevice, BlockSizes, DeviceContexts, ZeroesOptions } from '../../../nbd/block-device.js';
import { allocationOf } from '../../disk/allocation.js';
import type { GuestRequests } from './guest-requests.js';
import type { ProtectedVolume } from './protected-volume.js';

/**
 * Any alignment is allowed, file system blocks are best, and 32 MiB is the stream's largest
 * payload.
 */
export const BLOCK_SIZES: BlockSizes = { minimum: 1, preferred: 4_096, maximum: 32 * 1024 * 1024 };

export class VolumeDevice implements BlockDevice {
  readonly sizeBytes: number;
  readonly readOnly = false;
  readonly blockSizes = BLOCK_SIZES;
  readonly description: string;
  /** All connections share one file and one state. */
  readonly canMultiConn = true;
  readonly contexts: DeviceContexts;
  readonly #volume: ProtectedVolume;
  readonly #requests: GuestRequests;

  constructor(volume: ProtectedVolume, requests: GuestRequests) {
    this.sizeBytes = volume.sizeBytes;
    this.description = `virtual volume ${volume.id}`;
    this.#volume = volume;
    this.#requests = requests;
    this.contexts = allocationOf(async (offset, length, countMax) => volume.parts(offset, length, countMax));
    volume.guestCame();
  }

  read(offset: number, length: number): Buffer | Promise<Buffer> {
    const beganMs = performance.now();
    return this.#requests.answered('read', beganMs, length, this.#volume.read(offset, length));
  }

  write(offset: number, data: Buffer, fua: boolean): void | Promise<void> {
    const beganMs = performance.now();
    const { length } = data;
    return this.#requests.answered(
      'write',
      beganMs,
      length,
      this.#volume.change({ kind: 'write', offset, length, data }, fua),
    );
  }

  zeroes(offset: number, length: number, { fua, trim, mayTrim }: ZeroesOptions): void | Promise<void> {
    const beganMs = performance.now();
    const answer = trim
      ? this.#volume.trim(offset, length, fua)
      : this.#volume.change({ kind: 'zeroes', offset, length }, fua, { mayPunch: mayTrim });
    return this.#requests.answered('zeroes', beganMs, 0, answer);
  }

  async flush(): Promise<void> {
    const beganMs = performance.now();
    return this.#requests.answered('flush', beganMs, 0, this.#volume.flush());
  }

  close(): void {
    this.#volume.guestLeft();
  }
}
