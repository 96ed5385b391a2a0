// What a process shows the servers that it calls: a bearer token, and a certificate over TLS. Each
// comes from a file that may be replaced at any time, or from the environment.
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { invalidField, MoverError } from '../contracts/errors.js';
import { withoutEmpty } from './estate-file.js';
import { isLoopback } from './loopback.js';
import { WatchedFile } from './watched-file.js';

/**
 * The token to send to a URL; undefined without one.
 * @throws MoverError INVALID_REQUEST when others could read it on the way
 */
export function tokenFor(url: string, credentials: Credentials | undefined): string | undefined {
  const token = credentials?.token;
  if (token === undefined) return undefined;
  const { protocol, hostname } = new URL(url);
  const isSafe = protocol === 'https:' || isLoopback(hostname.replace(/^\[|\]$/g, ''));
  if (isSafe || credentials?.allowsPlain === true) return token;
  throw new MoverError(
    'INVALID_REQUEST',
    `The token is not sent to ${url}, since others could read it on the way: use https, or set ${PLAIN_HTTP}=1 where a tunnel protects the network.`,
  );
}

export interface TlsIdentity {
  /** Certificates, in PEM, of the authority that signs the other end's. Default: the system's. */
  readonly ca?: string | undefined;
  /** This process's certificate and its private key, in PEM. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Read at each call: its getters may answer anew when a file has changed. */
export interface Credentials {
  readonly token?: string | undefined;
  /** The same object for as long as nothing changes: connections are kept per object. */
  readonly tls?: TlsIdentity | undefined;
  /**
   * Whether a tunnel protects what is sent without TLS: tokens go over http to other machines, and
   * servers of this process listen there.
   */
  readonly allowsPlain?: boolean | undefined;
  /** Sentences about files that can't be used now, and about a certificate that ends soon. */
  readonly faults?: readonly string[] | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const TOKEN = 'VOLUME_MOVER_TOKEN';
export const TOKEN_FILE = 'VOLUME_MOVER_TOKEN_FILE';
export const CA_FILE = 'VOLUME_MOVER_TLS_CA_FILE';
export const CERT_FILE = 'VOLUME_MOVER_TLS_CERT_FILE';
export const KEY_FILE = 'VOLUME_MOVER_TLS_KEY_FILE';
export const PLAIN_HTTP = 'VOLUME_MOVER_PLAIN_HTTP';

const DAY_MS = 24 * 60 * 60_000;
/** Health reports a certificate that ends sooner: a fortnight is enough to replace it. */
const CERTIFICATE_ENDS_WITHIN_MS = 14 * DAY_MS;

/**
 * Reads the credentials that the environment names.
 * @throws MoverError INVALID_REQUEST naming the setting: two that exclude each other, a certificate
 * without its key or a key without its certificate, or a file that can't be used
 */
export function readCredentials(environment: Environment = process.env): Credentials {
  const given = withoutEmpty(environment);
  return new FileCredentials(readToken(given), readTls(given), given[PLAIN_HTTP] === '1');
}

type Readable<Content> = Pick<WatchedFile<Content>, 'content' | 'fault'>;

class FileCredentials implements Credentials {
  readonly #token: Readable<string> | undefined;
  readonly #tls: TlsFiles | undefined;
  readonly allowsPlain: boolean;

  constructor(token: Readable<string> | undefined, tls: TlsFiles | undefined, allowsPlain: boolean) {
    this.allowsPlain = allowsPlain;
    this.#token = token;
    this.#tls = tls;
  }

  get token(): string | undefined {
    return this.#token?.content;
  }

  get tls(): TlsIdentity | undefined {
    return this.#tls?.identity;
  }

  get faults(): readonly string[] {
    return [this.#token?.fault, ...(this.#tls?.faults ?? [])].filter((fault) => fault !== undefined);
  }
}

function readToken(given: Environment): Readable<string> | undefined {
  const token = given[TOKEN];
  const path = given[TOKEN_FILE];
  if (token !== undefined && path !== undefined) throw invalidField(TOKEN_FILE, `set it or ${TOKEN}, not both`);
  if (path !== undefined) return new WatchedFile({ path, setting: TOKEN_FILE, parse: tokenIn });
  return token === undefined ? undefined : { content: checkedToken(token), fault: undefined };
}

/** What an HTTP header can carry: a token is sent in one. */
const TOKEN_FORM = /^[\x21-\x7e]+$/;
const TOKEN_RULE = 'one token, printable ASCII without spaces';

function tokenIn(bytes: Buffer): string {
  const token = bytes.toString('utf8').trim();
  if (!TOKEN_FORM.test(token)) throw new Error(`it must hold ${TOKEN_RULE}`);
  return token;
}

function checkedToken(token: string): string {
  if (!TOKEN_FORM.test(token)) throw invalidField(TOKEN, `must be ${TOKEN_RULE}`);
  return token;
}

function readTls(given: Environment): TlsFiles | undefined {
  const [ca, cert, key] = [given[CA_FILE], given[CERT_FILE], given[KEY_FILE]];
  if ((cert === undefined) !== (key === undefined)) {
    const [missing, set] = cert === undefined ? [CERT_FILE, KEY_FILE] : [KEY_FILE, CERT_FILE];
    throw invalidField(missing, `must be set together with ${set}`);
  }
  if (ca === undefined && cert === undefined) return undefined;
  const files = [pemFile('ca', CA_FILE, ca), pemFile('cert', CERT_FILE, cert), pemFile('key', KEY_FILE, key)].filter(
    (file) => file !== undefined,
  );
  return new TlsFiles(files);
}

interface PemFile {
  readonly field: keyof TlsIdentity;
  readonly file: WatchedFile<string>;
}

function pemFile(field: keyof TlsIdentity, setting: string, path: string | undefined): PemFile | undefined {
  if (path === undefined) return undefined;
  return { field, file: new WatchedFile({ path, setting, parse: pemIn }) };
}

function pemIn(bytes: Buffer): string {
  const pem = bytes.toString('utf8');
  if (!pem.includes('-----BEGIN ')) throw new Error('it holds nothing in PEM form');
  return pem;
}

/** The files are used as a set: a new certificate is used once its key is there too. */
class TlsFiles {
  readonly #files: readonly PemFile[];
  #seen: readonly string[];
  #identity: TlsIdentity;
  #fault: string | undefined;

  /** @throws MoverError INVALID_REQUEST when certificate and key are no pair */
  constructor(files: readonly PemFile[]) {
    this.#files = files;
    this.#seen = this.#contents();
    this.#identity = this.#read();
    try {
      createSecureContext(this.#identity);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw invalidField(CERT_FILE, `certificate, key or authority cannot be used: ${why}`);
    }
  }

  get identity(): TlsIdentity {
    const contents = this.#contents();
    if (contents.every((content, i) => content === this.#seen[i])) return this.#identity;
    this.#seen = contents;
    const identity = this.#read();
    try {
      createSecureContext(identity);
      this.#identity = identity;
      this.#fault = undefined;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#fault = `The new certificate, key or authority cannot be used (${why}). The previous ones stay in use.`;
    }
    return this.#identity;
  }

  get faults(): readonly (string | undefined)[] {
    void this.identity;
    return [this.#fault, this.#ending, ...this.#files.map(({ file }) => file.fault)];
  }

  /** A sentence when this process's certificate has ended or ends soon. */
  get #ending(): string | undefined {
    const { cert } = this.#identity;
    if (cert === undefined) return undefined;
    const endsMs = Date.parse(new X509Certificate(cert).validTo);
    if (endsMs - Date.now() > CERTIFICATE_ENDS_WITHIN_MS) return undefined;
    return `The certificate of ${CERT_FILE} ends at ${new Date(endsMs).toISOString()}. From then on other processes refuse this one. Replace the file with a new certificate; no restart is needed.`;
  }

  #contents(): string[] {
    return this.#files.map(({ file }) => file.content);
  }

  #read(): TlsIdentity {
    return Object.fromEntries(this.#files.map(({ field, file }) => [field, file.content]));
  }
}
