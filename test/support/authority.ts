// A certificate authority of a test, which signs certificates for servers and callers.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsIdentity } from '../../control/credentials.js';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export interface IssueOptions {
  /** Entries of the SAN beside its DNS name, as openssl writes them. */
  readonly alternatives?: readonly string[] | undefined;
  /** Days until it ends. */
  readonly days?: number | undefined;
  /** End of TLS that it is for; absent: either. */
  readonly end?: 'server' | 'client' | undefined;
}

/** Paths of a certificate and its key. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export class Authority {
  readonly path: string;
  readonly #folder: string;
  readonly #name: string;

  constructor(folder: string, name = 'authority') {
    this.#folder = folder;
    this.#name = name;
    this.path = join(folder, `${name}.pem`);
    openssl('req', '-x509', ...NEW_KEY, '-keyout', this.#keyPath, '-out', this.path, '-subj', `/CN=${name}`);
  }

  issue(name: string, { alternatives = ['IP:127.0.0.1', 'DNS:localhost'], days = 30, end }: IssueOptions = {}): Issued {
    const cert = join(this.#folder, `${this.#name}-${name}.pem`);
    const key = join(this.#folder, `${this.#name}-${name}.key`);
    const signing = ['req', '-x509', '-CA', this.path, '-CAkey', this.#keyPath];
    const made = [...NEW_KEY, '-keyout', key, '-out', cert, '-subj', `/CN=${name}`, '-days', String(days)];
    const names = `subjectAltName=${[`DNS:${name}.example`, ...alternatives].join(',')}`;
    const usage = end === undefined ? [] : ['-addext', `extendedKeyUsage=${end}Auth`];
    openssl(...signing, ...made, '-addext', names, '-addext', 'basicConstraints=critical,CA:FALSE', ...usage);
    return { cert, key };
  }

  /** What a process shows that has this certificate and trusts this authority. */
  identity(issued?: Issued): TlsIdentity {
    const ca = readFileSync(this.path, 'utf8');
    if (issued === undefined) return { ca };
    return { ca, cert: readFileSync(issued.cert, 'utf8'), key: readFileSync(issued.key, 'utf8') };
  }

  get #keyPath(): string {
    return join(this.#folder, `${this.#name}.key`);
  }
}

function openssl(...words: readonly string[]): void {
  execFileSync('openssl', words, { stdio: ['ignore', 'ignore', 'pipe'] });
}
