// What to do about a connection that failed for its TLS: the system's words don't say it.
import { CA_FILE } from './credentials.js';

const UNTRUSTED = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);

/** The end of a sentence about the failure; empty when TLS is not at fault. */
export function tlsHint(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if (error.message.includes('wrong version number')) return ' (the server does not speak TLS: is its URL http?)';
  if (!('code' in error) || typeof error.code !== 'string' || !UNTRUSTED.has(error.code)) return '';
  return ` (set ${CA_FILE} to the authority that signed the server's certificate)`;
}
