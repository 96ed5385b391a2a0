// A block device in memory for the NBD tests, answering at once or through promises.
import type { BlockDevice, DeviceContexts, ExportDirectory } from '../../nbd/block-device.js';

export interface MemoryDeviceOptions {
  readonly sizeBytes: number;
  readonly readOnly?: boolean;
  readonly minimumBlockBytes?: number;
  readonly maximumBlockBytes?: number;
  readonly canMultiConn?: boolean;
  readonly description?: string;
  readonly contexts?: DeviceContexts;
  /** Awaited before each call takes effect; calls complete at once when absent. */
  readonly gate?: () => Promise<void>;
}

export class MemoryDevice implements BlockDevice {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly blockSizes: BlockDevice['blockSizes'];
  readonly canMultiConn: boolean;
  readonly description: string;
  readonly contexts?: DeviceContexts;
  readonly content: Buffer;
  /** Calls in order of arrival, such as "write 0+4096 fua". */
  readonly calls: string[] = [];
  closes = 0;
  /** Thrown by each call while set. */
  failure: Error | undefined;
  readonly #gate: (() => Promise<void>) | undefined;

  constructor(options: MemoryDeviceOptions) {
    this.sizeBytes = options.sizeBytes;
    this.readOnly = options.readOnly ?? false;
    this.blockSizes = {
      minimum: options.minimumBlockBytes ?? 1,
      preferred: 4096,
      maximum: options.maximumBlockBytes ?? 32 * 1024 * 1024,
    };
    this.canMultiConn = options.canMultiConn ?? false;
    this.description = options.description ?? 'memory';
    this.content = Buffer.alloc(options.sizeBytes);
    this.#gate = options.gate;
    if (options.contexts !== undefined) this.contexts = options.contexts;
  }

  read(offset: number, length: number): Buffer | Promise<Buffer> {
    return this.#run(`read ${offset}+${length}`, () => Buffer.from(this.content.subarray(offset, offset + length)));
  }

  write(offset: number, data: Buffer, fua: boolean): void | Promise<void> {
    return this.#run(`write ${offset}+${data.length}${fua ? ' fua' : ''}`, () => {
      data.copy(this.content, offset);
    });
  }

  zeroes(
    offset: number,
    length: number,
    options: { fua: boolean; trim: boolean; mayTrim: boolean },
  ): void | Promise<void> {
    const flags = Object.entries(options).flatMap(([flag, set]) => (set ? [` ${flag}`] : []));
    return this.#run(`zeroes ${offset}+${length}${flags.join('')}`, () => {
      this.content.fill(0, offset, offset + length);
    });
  }

  flush(): void | Promise<void> {
    return this.#run('flush', () => {});
  }

  close(): void {
    this.closes += 1;
  }

  #run<T>(call: string, effect: () => T): T | Promise<T> {
    this.calls.push(call);
    if (this.#gate === undefined) return this.#finish(effect);
    return this.#gate().then(() => this.#finish(effect));
  }

  #finish<T>(effect: () => T): T {
    if (this.failure !== undefined) throw this.failure;
    return effect();
  }
}

/** A directory of fixed devices, each shared by all connections. */
export function directoryOf(devices: Readonly<Record<string, BlockDevice>>): ExportDirectory {
  const byName = new Map(Object.entries(devices));
  return { list: () => [...byName.keys()], open: (name) => byName.get(name) };
}
