// A running server follows the files of its access: new connections get a new certificate, and
// streams of callers that may no longer call end.
import { Server as TlsServer } from 'node:https';
import type { Server } from 'node:http';
import type { Logger } from 'pino';
import type { Credentials } from '../../control/credentials.js';
import type { OpenStreams } from './open-streams.js';

/** How often the files are checked for changes, ms. */
const CHECK_INTERVAL_MS = 1_000;

export interface FollowAccessOptions {
  readonly server: Server;
  readonly credentials: Credentials;
  readonly streams: OpenStreams;
  readonly log: Logger;
}

/** Follows until it is stopped. Connections that are open keep their certificates. */
export function followAccess({ server, credentials, streams, log }: FollowAccessOptions): {
  readonly stop: () => void;
} {
  let shown = credentials.tls;
  const timer = setInterval(() => {
    streams.check();
    const { tls } = credentials;
    if (tls === undefined || tls === shown || !(server instanceof TlsServer)) return;
    shown = tls;
    server.setSecureContext(tls);
    log.info('the certificate was replaced');
  }, CHECK_INTERVAL_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
