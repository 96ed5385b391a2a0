// Who gets in: what a process shows others, whom it lets in itself, and where it may listen.
import { MoverError } from '../../contracts/errors.js';
import {
  CA_FILE,
  CERT_FILE,
  type Credentials,
  KEY_FILE,
  PLAIN_HTTP,
  readCredentials,
  TOKEN_FILE,
} from '../../control/credentials.js';
import { isLoopback } from '../../control/loopback.js';
import { Callers, CALLERS_FILE } from './callers.js';

export interface Access {
  /** What the process shows others. Its certificate is also that of its own server. */
  readonly credentials: Credentials;
  readonly callers: Callers;
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** Whether it serves TLS. */
  readonly tls?: boolean | undefined;
}

/** The access of a process that shows nothing to others and takes every caller for anyone. */
export const OPEN_ACCESS: Access = { credentials: {}, callers: new Callers({}) };

/**
 * Reads the access of a process from its environment.
 * @throws MoverError INVALID_REQUEST naming the setting at fault
 */
export function readAccess(environment: Readonly<Record<string, string | undefined>>): Access {
  const credentials = readCredentials(environment);
  return {
    credentials,
    callers: new Callers(credentials, environment[CALLERS_FILE] || undefined),
  };
}

/** Sentences about files that can't be used now. */
export function accessNotes({ credentials, callers }: Access): string[] {
  return [...(credentials.faults ?? []), ...(callers.fault === undefined ? [] : [callers.fault])];
}

/**
 * Refuses to listen where other machines could connect without showing who they are, or be
 * overheard.
 * @throws MoverError INVALID_REQUEST naming the settings that are missing
 */
export function requireProtection({ host, tls = false }: ListenAddress, access: Access): void {
  const { ca, cert } = access.credentials.tls ?? {};
  if (tls && cert === undefined)
    throw refusal('tls', `the estate file says "tls": true for it; set ${CERT_FILE} and ${KEY_FILE}`);
  if (isLoopback(host)) return;
  if (tls) {
    if (ca !== undefined) return;
    throw refusal('tls', `${beyond(host)}: set ${CA_FILE} to the authority that signs the callers' certificates`);
  }
  if (access.credentials.allowsPlain !== true)
    throw refusal(
      'tls',
      `${beyond(host)}: say "tls": true in the estate file and set ${CERT_FILE}, ${KEY_FILE} and ${CA_FILE}, or listen on 127.0.0.1; behind a tunnel of your own, set ${PLAIN_HTTP}=1 and ${CALLERS_FILE} or ${TOKEN_FILE}`,
    );
  if (!access.callers.areKnown)
    throw refusal('token', `${beyond(host)}: set ${CALLERS_FILE} or ${TOKEN_FILE}, or listen on 127.0.0.1`);
}

function beyond(host: string): string {
  return `listening on ${host} would let anyone on the network in`;
}

function refusal(subject: string, message: string): MoverError {
  return new MoverError('INVALID_REQUEST', `Certificates or tokens are required: ${message}.`, {
    reasons: [{ code: 'INVALID_REQUEST', subject, message }],
  });
}
