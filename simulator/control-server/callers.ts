// The callers that a server knows: each has a name and roles, and shows a token, a certificate, or
// both.
import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { AUDIT_TEXT_LENGTH_MAX } from '../../contracts/audit.js';
import { parseOrRefuse } from '../../contracts/errors.js';
import { type Role, roleSchema } from '../../contracts/roles.js';
import type { Credentials } from '../../control/credentials.js';
import { parseJson } from '../../control/json-text.js';
import { WatchedFile } from '../../control/watched-file.js';

export const CALLERS_FILE = 'VOLUME_MOVER_CALLERS_FILE';
/** Most entries of the file: each call's token is compared with all of them. */
const CALLERS_MAX = 1_000;

const callerSchema = z
  .strictObject({
    /** Several entries may have one name: an old and a new token while both are in use. */
    name: z.string().min(1).max(AUDIT_TEXT_LENGTH_MAX),
    roles: z.array(roleSchema).min(1),
    /** SHA-256 of the bearer token, in hex: who reads the file learns no token. */
    tokenSha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'SHA-256 in hex, 64 characters: printf %s "$TOKEN" | sha256sum')
      .optional(),
    /** A name of the client certificate: its CN, or a DNS name, URI or address of its SAN. */
    certificate: z.string().min(1).optional(),
  })
  .refine(({ tokenSha256, certificate }) => tokenSha256 !== undefined || certificate !== undefined, {
    path: ['tokenSha256'],
    error: 'a caller shows a token, a certificate, or both: give tokenSha256 or certificate',
  });
const callersSchema = z.strictObject({ callers: z.array(callerSchema).min(1).max(CALLERS_MAX) });
type Entry = z.output<typeof callerSchema>;

export interface Caller {
  readonly name: string;
  readonly roles: readonly Role[];
}

/** A client certificate that was shown over TLS. */
export interface ShownCertificate {
  /** Its CN first, then the names of its SAN. */
  readonly names: readonly string[];
  /** Why it is not accepted; undefined when an authority known here has signed it. */
  readonly fault: string | undefined;
}

export interface Shown {
  /** The Authorization header. */
  readonly authorization: string | undefined;
  readonly certificate: ShownCertificate | undefined;
}

/**
 * The caller of a server that was given neither callers nor a token. Only this machine can connect
 * to it, or who shows a certificate of its authority.
 */
const ANYONE: Caller = { name: 'anyone', roles: ['admin'] };

export class Callers {
  readonly #file: WatchedFile<readonly Entry[]> | undefined;
  readonly #credentials: Credentials;

  /**
   * @param credentials whose token is everybody's, with every role, when there is no file
   * @param path of the file that lists the callers
   * @throws MoverError INVALID_REQUEST when the file can't be used
   */
  constructor(credentials: Credentials, path?: string, checkIntervalMs?: number) {
    this.#credentials = credentials;
    if (path === undefined) return;
    this.#file = new WatchedFile({ path, setting: CALLERS_FILE, parse: callersIn, checkIntervalMs });
  }

  /** Whether callers are told apart at all. */
  get areKnown(): boolean {
    return this.#file !== undefined || this.#credentials.token !== undefined;
  }

  /** A sentence while the file can't be used. */
  get fault(): string | undefined {
    return this.#file?.fault;
  }

  /**
   * Finds the caller. A token that is sent decides, with its certificate if its entry names one.
   * @param needsCertificate whether nobody gets in without a client certificate
   * @returns the caller, or why it is not known, as the end of a sentence
   */
  identify({ authorization, certificate }: Shown, needsCertificate: boolean): Caller | { readonly refusal: string } {
    if (certificate?.fault !== undefined)
      return { refusal: `its certificate, of ${nameOf(certificate)}, is not accepted (${certificate.fault})` };
    if (needsCertificate && certificate === undefined)
      return { refusal: 'it showed no client certificate, and needs one' };
    const names = certificate?.names ?? [];
    const entries = this.#entries;
    if (entries.length === 0) return certificate === undefined ? ANYONE : { ...ANYONE, name: nameOf(certificate) };
    const token = tokenIn(authorization);
    const shownHere = ({ certificate: wanted }: Entry): boolean => wanted === undefined || names.includes(wanted);
    const found =
      token === undefined
        ? entries.find((entry) => entry.tokenSha256 === undefined && shownHere(entry))
        : withToken(entries, token).find(shownHere);
    if (found !== undefined) return found;
    if (token !== undefined) return { refusal: 'its bearer token is not known' };
    if (certificate === undefined) return { refusal: 'it showed neither a bearer token nor a certificate' };
    return { refusal: `its certificate, of ${nameOf(certificate)}, is no caller's, and it sent no bearer token` };
  }

  get #entries(): readonly Entry[] {
    if (this.#file !== undefined) return this.#file.content;
    const { token } = this.#credentials;
    return token === undefined ? [] : [{ name: 'token', roles: ['admin'], tokenSha256: digest(token).toString('hex') }];
  }
}

function callersIn(bytes: Buffer): readonly Entry[] {
  return parseOrRefuse(callersSchema, parseJson(bytes.toString('utf8')), 'list of callers').callers;
}

function tokenIn(authorization: string | undefined): string | undefined {
  const [, token] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? [];
  return token;
}

/**
 * The entries of a token. Digests are compared, and all of them, so that the time taken reveals
 * neither a token nor how near a guess came.
 */
function withToken(entries: readonly Entry[], token: string): Entry[] {
  const shown = digest(token);
  return entries.filter(
    ({ tokenSha256 }) => tokenSha256 !== undefined && timingSafeEqual(Buffer.from(tokenSha256, 'hex'), shown),
  );
}

function nameOf({ names }: ShownCertificate): string {
  return (names[0] ?? 'nobody').slice(0, AUDIT_TEXT_LENGTH_MAX);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
