// Ports that follow the estate file: a process that lives long reaches appliances and splitters
// that the file has since added.
import { estateOf } from './estate-file.js';
import { createHttpPorts, type HttpPortsOptions } from './http-ports.js';
import type { Ports } from './ports.js';
import { WatchedFile } from './watched-file.js';

export interface FollowedPortsOptions extends HttpPortsOptions {
  /** Path of the estate file. */
  readonly path: string;
  /** How often the file is checked, ms. Default: that of every watched file. */
  readonly checkIntervalMs?: number | undefined;
  readonly hooks?: Ports['hooks'];
}

/**
 * Ports of the estate file as it is now. A process that the file leaves out again stays known:
 * moves of its volumes may be under way.
 */
export class FollowedPorts implements Ports {
  readonly #file: WatchedFile<Ports>;
  #seen: Ports;
  #ports: Ports;
  readonly hooks: Ports['hooks'];

  /** Reads the file. @throws MoverError INVALID_REQUEST saying what is wrong with it */
  constructor({ path, checkIntervalMs, hooks, ...options }: FollowedPortsOptions) {
    this.hooks = hooks;
    this.#file = new WatchedFile({
      path,
      setting: 'VOLUME_MOVER_ESTATE',
      parse: (bytes) => createHttpPorts(estateOf(path, bytes.toString('utf8')), options),
      checkIntervalMs,
    });
    this.#seen = this.#file.content;
    this.#ports = this.#seen;
  }

  get appliances(): Ports['appliances'] {
    return this.#current().appliances;
  }

  get splitters(): Ports['splitters'] {
    return this.#current().splitters;
  }

  /** A sentence while the file can't be used; the ports stay as they were. */
  get fault(): string | undefined {
    return this.#file.fault;
  }

  #current(): Ports {
    const read = this.#file.content;
    if (read !== this.#seen) {
      this.#seen = read;
      this.#ports = {
        appliances: new Map([...this.#ports.appliances, ...read.appliances]),
        splitters: new Map([...this.#ports.splitters, ...read.splitters]),
      };
    }
    return this.#ports;
  }
}
