// Which Temporal server a process uses, and with which key and certificate. Worker, client and
// command line read it here, so that they always mean the same server.
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ClientConfigProfile, loadClientConfigProfile } from '@temporalio/envconfig';
import { MoverError, type Reason } from '../contracts/errors.js';
import { type Estate, hostPort } from '../contracts/estate.js';
import { causeOf } from './cause.js';
import { PLAIN_HTTP } from './credentials.js';
import { withoutEmpty } from './estate-file.js';
import { isLoopback } from './loopback.js';
import { TemporalToml, type TomlFault } from './temporal-toml.js';

/** TLS towards Temporal, in PEM, as the connections of both SDK packages take it. */
export interface TemporalTls {
  readonly serverNameOverride?: string;
  readonly serverRootCACertificate?: Uint8Array;
  readonly clientCertPair?: { readonly crt: Uint8Array; readonly key: Uint8Array };
}

/** Options that `Connection.connect` and `NativeConnection.connect` both take. */
export interface TemporalConnectionSettings {
  /** `host:port` of the gRPC service. */
  readonly address: string;
  readonly tls?: TemporalTls | boolean;
  readonly apiKey?: string;
  /** Headers of each call. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface TemporalSettings {
  readonly connection: TemporalConnectionSettings;
  readonly namespace: string;
  /** What named the address. */
  readonly source: 'environment' | 'estate file' | 'profile' | 'default';
  /** The setting that has the API key, for messages; absent without a key. */
  readonly keySetting?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const ADDRESS_DEFAULT = '127.0.0.1:7233';
const NAMESPACE_DEFAULT = 'default';
/** The profile that counts when none is named. */
const PROFILE_DEFAULT = 'default';
const ADDRESS = /^(?:\[[\da-f:.]+\]|[^\s:/@[\]]+):(\d{1,5})$/i;
const CLOUD_HOST = /\.(?:tmprl\.cloud|api\.temporal\.io)(?::\d+)?$/;
const PORT_MAX = 65_535;
const FLAGS = ['TEMPORAL_TLS', 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION'];
const FLAG_VALUES = new Set(['true', 'false', '1', '0']);

/** The PEM settings: the variables without `_PATH` and `_DATA`, and the names in a profile. */
const PEMS = [
  { part: 'clientCert', variable: 'TEMPORAL_TLS_CLIENT_CERT', key: 'client_cert' },
  { part: 'clientKey', variable: 'TEMPORAL_TLS_CLIENT_KEY', key: 'client_key' },
  { part: 'serverCACert', variable: 'TEMPORAL_TLS_SERVER_CA_CERT', key: 'server_ca_cert' },
] as const;
type PemPart = (typeof PEMS)[number]['part'];

/**
 * Reads the settings. Each comes from the first that has it: a `TEMPORAL_*` variable, the profile
 * that `TEMPORAL_PROFILE` names, the estate file, the default profile of temporal.toml. A default
 * profile of another server than the estate file's gives nothing: its key must not go there.
 * @throws MoverError INVALID_REQUEST naming every variable and every setting of temporal.toml that
 * is at fault
 */
export function readTemporalSettings(
  environment: Environment = process.env,
  estate: Pick<Estate, 'temporal'> = {},
): TemporalSettings {
  const reader = new SettingsReader(withoutEmpty(environment), estate.temporal);
  return reader.read();
}

/** Whether an address is one of Temporal Cloud. */
export function isTemporalCloud(address: string): boolean {
  return CLOUD_HOST.test(address);
}

class SettingsReader {
  readonly #given: Record<string, string>;
  readonly #estate: Estate['temporal'];
  readonly #faults: Reason[] = [];
  readonly #toml: TemporalToml;
  #profileName = PROFILE_DEFAULT;
  /** What is wrong with the profile. It is told if anything of the profile is used. */
  #profileFaults: readonly TomlFault[] = [];

  constructor(given: Record<string, string>, estate: Estate['temporal']) {
    this.#given = given;
    this.#toml = new TemporalToml(given);
    this.#estate = estate;
  }

  read(): TemporalSettings {
    this.#checkFlags();
    const variables = this.#variables();
    const profile = this.#profile();
    const { address, source } = this.#address(variables, profile);
    const used = source === 'estate file' && (profile.address ?? address) !== address ? {} : profile;
    if (used === profile)
      for (const { key, message } of this.#profileFaults) this.#fault(`${this.#toml.name}, ${key}`, message);
    const connection = this.#connection(address, variables, used);
    const ofEstate = source === 'estate file' ? this.#estate?.namespace : undefined;
    const namespace = this.#isNamed
      ? (variables.namespace ?? used.namespace ?? ofEstate)
      : (variables.namespace ?? ofEstate ?? used.namespace);
    this.#refuseFaults();
    const keySetting = connection.apiKey === undefined ? {} : { keySetting: this.#keySetting(variables) };
    return { connection, namespace: namespace ?? NAMESPACE_DEFAULT, source, ...keySetting };
  }

  /** Whether the user chose the profile: it then counts more than the estate file. */
  get #isNamed(): boolean {
    return this.#given['TEMPORAL_PROFILE'] !== undefined;
  }

  #fault(subject: string, message: string): void {
    this.#faults.push({ code: 'INVALID_REQUEST', subject, message });
  }

  #refuseFaults(): void {
    if (this.#faults.length === 0) return;
    const listed = this.#faults.map(({ subject, message }) => `${subject}: ${message}`).join('; ');
    const sentence = `The settings for Temporal are not accepted: ${listed}.`;
    throw new MoverError('INVALID_REQUEST', sentence, { reasons: this.#faults });
  }

  /** The SDK takes any other word as "no", which would turn TLS off. */
  #checkFlags(): void {
    for (const name of FLAGS) {
      const value = this.#given[name];
      if (value !== undefined && !FLAG_VALUES.has(value))
        this.#fault(name, `"${value}" is neither yes nor no: write true or false`);
    }
    const unverified = this.#given['TEMPORAL_TLS_DISABLE_HOST_VERIFICATION'];
    if (unverified === 'true' || unverified === '1')
      this.#fault(
        'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION',
        'the SDK always verifies the server: unset it, and name the authority by TEMPORAL_TLS_SERVER_CA_CERT_PATH',
      );
  }

  #variables(): ClientConfigProfile {
    const given = { ...this.#given };
    for (const { variable } of PEMS) {
      if (given[`${variable}_PATH`] === undefined || given[`${variable}_DATA`] === undefined) continue;
      this.#fault(`${variable}_PATH`, `set it or ${variable}_DATA, not both`);
      delete given[`${variable}_DATA`];
    }
    // A word that is no answer is a fault already; the certificates are still checked.
    if (!FLAG_VALUES.has(given['TEMPORAL_TLS'] ?? 'true')) delete given['TEMPORAL_TLS'];
    return loadClientConfigProfile({ disableFile: true, overrideEnvVars: given });
  }

  #profile(): ClientConfigProfile {
    const name = this.#given['TEMPORAL_PROFILE'];
    this.#profileName = name ?? PROFILE_DEFAULT;
    const { profiles, unreadable } = this.#toml;
    if (unreadable !== undefined) {
      this.#fault(this.#toml.name, unreadable);
      return {};
    }
    const profile = profiles[this.#profileName];
    if (profile === undefined && name !== undefined) {
      const known = Object.keys(profiles).map((other) => `"${other}"`);
      const list = known.length === 0 ? 'no profile' : `only ${known.join(', ')}`;
      this.#fault('TEMPORAL_PROFILE', `there is no profile "${name}": ${this.#toml.name} has ${list}`);
    }
    this.#profileFaults = this.#toml.faultsOf(this.#profileName);
    if (this.#profileFaults.length === 0) return profile ?? {};
    // Of a profile with faults no more is used than its address, which says whether it is meant.
    const address: unknown = profile?.address;
    return typeof address === 'string' ? { address } : {};
  }

  /** The name of the setting that has the API key, for messages. */
  #keySetting({ apiKey }: ClientConfigProfile): string {
    return apiKey === undefined ? this.#ofProfile('api_key') : 'TEMPORAL_API_KEY';
  }

  /** The name of a setting of the profile in use, for messages. */
  #ofProfile(key: string): string {
    return `${this.#toml.name}, profile "${this.#profileName}", ${key}`;
  }

  #address(
    variables: ClientConfigProfile,
    profile: ClientConfigProfile,
  ): { readonly address: string; readonly source: TemporalSettings['source'] } {
    if (variables.address !== undefined) {
      this.#checkAddress('TEMPORAL_ADDRESS', variables.address);
      return { address: variables.address, source: 'environment' };
    }
    if (profile.address !== undefined && (this.#isNamed || this.#estate === undefined)) {
      this.#checkAddress(this.#ofProfile('address'), profile.address);
      return { address: profile.address, source: 'profile' };
    }
    if (this.#estate === undefined) return { address: ADDRESS_DEFAULT, source: 'default' };
    return { address: hostPort(this.#estate), source: 'estate file' };
  }

  #checkAddress(subject: string, address: unknown): void {
    const port = typeof address === 'string' ? Number(ADDRESS.exec(address)?.[1]) : Number.NaN;
    if (port >= 1 && port <= PORT_MAX) return;
    this.#fault(subject, `"${String(address)}" is no address: write host:port, for example temporal.example.com:7233`);
  }

  #connection(
    address: string,
    variables: ClientConfigProfile,
    profile: ClientConfigProfile,
  ): TemporalConnectionSettings {
    const apiKey = variables.apiKey ?? profile.apiKey;
    const metadata = { ...profile.grpcMeta, ...variables.grpcMeta };
    const common = {
      address,
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    };
    const isOfEstate = this.#estate !== undefined && address === hostPort(this.#estate);
    const tlsOfFile = isOfEstate ? this.#estate?.tls : undefined;
    const ofFile = tlsOfFile === undefined ? profile.tls?.disabled : !tlsOfFile;
    if (variables.tls?.disabled ?? ofFile) {
      // Keys and headers in the shell are for servers with TLS.
      if (variables.tls?.disabled === undefined && tlsOfFile === false) return { address, tls: false };
      if (apiKey !== undefined) this.#checkPlainKey(address, this.#keySetting(variables));
      return { ...common, tls: false };
    }
    const tls = this.#tls(variables.tls, profile.tls);
    const isTls = tlsOfFile === true || (variables.tls ?? profile.tls ?? apiKey) !== undefined;
    return isTls ? { ...common, tls: Object.keys(tls).length === 0 ? true : tls } : common;
  }

  #checkPlainKey(address: string, subject: string): void {
    const host = address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    if (isLoopback(host) || this.#given[PLAIN_HTTP] === '1') return;
    this.#fault(
      subject,
      `others could read it on the way to ${address}: turn TLS on, or set ${PLAIN_HTTP}=1 where a tunnel protects the network`,
    );
  }

  #tls(variables: ClientConfigProfile['tls'], profile: ClientConfigProfile['tls']): TemporalTls {
    const pems = new Map<PemPart, { readonly subject: string; readonly pem: Uint8Array | undefined }>();
    for (const { part, variable, key } of PEMS) {
      const ofVariable = variables?.[part];
      const source = ofVariable ?? profile?.[part];
      if (source === undefined) continue;
      const kind = 'path' in source ? 'path' : 'data';
      const subject =
        ofVariable === undefined ? this.#ofProfile(`tls.${key}_${kind}`) : `${variable}_${kind.toUpperCase()}`;
      pems.set(part, { subject, pem: this.#pem(subject, part, source) });
    }
    const certificate = pems.get('clientCert');
    const key = pems.get('clientKey');
    if ((certificate === undefined) !== (key === undefined)) {
      const { subject } = certificate ?? key ?? { subject: '' };
      const lacking = certificate === undefined ? 'TEMPORAL_TLS_CLIENT_CERT_PATH' : 'TEMPORAL_TLS_CLIENT_KEY_PATH';
      this.#fault(subject, `certificate and key go together: set ${lacking} too, or neither`);
    }
    const ca = pems.get('serverCACert')?.pem;
    const serverName = variables?.serverName ?? profile?.serverName;
    return {
      ...(serverName === undefined ? {} : { serverNameOverride: serverName }),
      ...(ca === undefined ? {} : { serverRootCACertificate: ca }),
      ...(certificate?.pem === undefined || key?.pem === undefined
        ? {}
        : { clientCertPair: this.#pair(key.subject, certificate.pem, key.pem) }),
    };
  }

  #pem(
    subject: string,
    part: PemPart,
    source: { path: string } | { data: string | Uint8Array },
  ): Uint8Array | undefined {
    const pem = this.#bytes(subject, source);
    if (pem === undefined) return undefined;
    const isKey = part === 'clientKey';
    try {
      if (isKey) createPrivateKey(Buffer.from(pem));
      else void new X509Certificate(pem);
      return pem;
    } catch {
      const where = 'path' in source ? `${source.path} has` : 'it has';
      this.#fault(subject, `${where} no ${isKey ? 'private key without a passphrase' : 'certificate'} in PEM`);
      return undefined;
    }
  }

  #bytes(subject: string, source: { path: string } | { data: string | Uint8Array }): Uint8Array | undefined {
    if ('data' in source) return Buffer.from(source.data);
    try {
      return readFileSync(source.path);
    } catch (error) {
      this.#fault(subject, `the file can't be read: ${causeOf(error)}`);
      return undefined;
    }
  }

  #pair(subject: string, crt: Uint8Array, key: Uint8Array): { readonly crt: Uint8Array; readonly key: Uint8Array } {
    const ofKey = createPublicKey(Buffer.from(key)).export({ type: 'spki', format: 'pem' });
    const ofCertificate = new X509Certificate(crt).publicKey.export({ type: 'spki', format: 'pem' });
    if (ofKey !== ofCertificate) this.#fault(subject, 'the key is not that of the certificate');
    return { crt, key };
  }
}
