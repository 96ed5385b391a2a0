// The certificates of one end of NBD over TLS: three files of a folder, under the names that qemu,
// libnbd and nbdkit look for. They are read again when they change, so a renewed certificate needs
// no restart.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isLocal } from './address.js';
import type { NbdAddress } from './address.js';

/** What TLS needs to know itself and to check the other end. */
export interface Certificates {
  /** The authority that signed the other end's certificate. */
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

interface Known {
  readonly state: string;
  readonly certificates: Certificates;
}

export class CertificateFolder {
  readonly #paths: { readonly [File in keyof Certificates]: string };
  readonly #onUnusable: (error: Error) => void;
  #known: Known;

  /**
   * Reads `ca-cert.pem`, and `server-cert.pem` and `server-key.pem`, or the client's.
   * @param onUnusable called when changed files can't be read: those read last stay in use
   * @throws the system's error for a file that can't be read
   */
  constructor(folder: string, end: 'server' | 'client', onUnusable: (error: Error) => void = () => undefined) {
    this.#paths = {
      ca: join(folder, 'ca-cert.pem'),
      cert: join(folder, `${end}-cert.pem`),
      key: join(folder, `${end}-key.pem`),
    };
    this.#onUnusable = onUnusable;
    this.#known = this.#read();
  }

  /** The certificates as they are now. */
  get now(): Certificates {
    try {
      if (this.#state() !== this.#known.state) this.#known = this.#read();
    } catch (error) {
      this.#onUnusable(error instanceof Error ? error : new Error(String(error)));
    }
    return this.#known.certificates;
  }

  #read(): Known {
    // The state first: a change meanwhile makes the next use read again.
    const state = this.#state();
    const { ca, cert, key } = this.#paths;
    return { state, certificates: { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) } };
  }

  /** A text that differs once any of the files was changed or replaced. */
  #state(): string {
    return Object.values(this.#paths)
      .map((path) => {
        const { ino, size, mtimeNs } = statSync(path, { bigint: true });
        return `${ino} ${size} ${mtimeNs}`;
      })
      .join(', ');
  }
}

/**
 * The certificates for a client to reach an address with: those of the folder that
 * `VOLUME_MOVER_NBD_TLS` names. None on the same host, where TLS isn't required.
 * @throws the system's error for a file that can't be read
 */
export function certificatesFor(
  address: NbdAddress,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Certificates | undefined {
  const folder = environment['VOLUME_MOVER_NBD_TLS'] ?? '';
  const remoteAddress = 'host' in address ? address.host : undefined;
  if (folder === '' || remoteAddress === 'localhost' || isLocal({ remoteAddress })) return undefined;
  return new CertificateFolder(folder, 'client').now;
}
