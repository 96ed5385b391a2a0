// The process's HTTP connections, kept alive between calls: one set for plain ones, one for each
// TLS identity. Idle ones don't keep the process alive.
import { Agent, type Dispatcher } from 'undici';
import type { TlsIdentity } from './credentials.js';

/**
 * How long an idle connection is kept, ms. Servers keep theirs longer, so no request meets a
 * closing one.
 */
const IDLE_CONNECTION_MS = 4_000;
const KEPT = { keepAliveTimeout: IDLE_CONNECTION_MS, keepAliveMaxTimeout: IDLE_CONNECTION_MS };

const plain = new Agent(KEPT);
/** An identity that was replaced is forgotten with its connections, which end when idle. */
const byIdentity = new WeakMap<TlsIdentity, Agent>();

/** The connections to use; new ones show this identity. */
export function connectionsFor(tls: TlsIdentity | undefined): Dispatcher {
  if (tls === undefined) return plain;
  const known = byIdentity.get(tls);
  if (known !== undefined) return known;
  const agent = new Agent({ ...KEPT, connect: { ...tls } });
  byIdentity.set(tls, agent);
  return agent;
}
