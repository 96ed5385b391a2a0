// The client certificate of a TLS connection.
import type { Duplex } from 'node:stream';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import type { ShownCertificate } from './callers.js';

/** A connection keeps its certificate: it is read once, not at each call. */
const known = new WeakMap<TLSSocket, ShownCertificate>();

/** The certificate; undefined without TLS, and when the client showed none. */
export function shownCertificate(socket: Duplex): ShownCertificate | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const found = known.get(socket);
  if (found !== undefined) return found;
  const certificate = socket.getPeerCertificate();
  // Without a certificate it is an empty object.
  if (Object.keys(certificate).length === 0) return undefined;
  const shown = {
    names: namesOf(certificate),
    fault: socket.authorized ? undefined : String(socket.authorizationError),
  };
  known.set(socket, shown);
  return shown;
}

/** The CN, then the DNS names, URIs and addresses of the SAN. */
function namesOf({ subject, subjectaltname = '' }: PeerCertificate): string[] {
  const commonNames = [subject.CN].flat().filter((name) => name !== undefined);
  // A name with a comma or a quote in it is written in quotes, and is not taken.
  const alternatives = subjectaltname.split(', ').flatMap((name) => {
    const [, value] = /^(?:DNS|URI|email|IP Address):([^"]+)$/.exec(name) ?? [];
    return value === undefined ? [] : [value];
  });
  return [...commonNames, ...alternatives];
}
