// Folders of certificates as NBD servers and clients take them.
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Authority } from './authority.js';

/** An authority of its own, and folders of what it signed. */
export class NbdAuthority {
  readonly #authority: Authority;

  /** @param folder of its keys; made if missing */
  constructor(folder: string, name: string) {
    mkdirSync(folder, { recursive: true });
    this.#authority = new Authority(folder, name);
  }

  /**
   * Puts a signed certificate and the authority's own into a folder, under the usual names.
   * @param ip of a host that the certificate names beside localhost
   * @returns the folder
   */
  issue(folder: string, end: 'server' | 'client', ip = '127.0.0.1'): string {
    mkdirSync(folder, { recursive: true });
    const alternatives = ['DNS:localhost', 'IP:127.0.0.1', ...(ip === '127.0.0.1' ? [] : [`IP:${ip}`])];
    const { cert, key } = this.#authority.issue(end, { alternatives, end });
    copyFileSync(cert, join(folder, `${end}-cert.pem`));
    copyFileSync(key, join(folder, `${end}-key.pem`));
    copyFileSync(this.#authority.path, join(folder, 'ca-cert.pem'));
    return folder;
  }
}
