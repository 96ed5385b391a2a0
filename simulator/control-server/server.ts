// Serves a control API from its table of operations: parsing, who may call, the audit, limits,
// errors and the OpenAPI document are the same for every process.
import { setMaxListeners } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import type { ClockView } from '../../contracts/clock.js';
import { controlUrl } from '../../contracts/estate.js';
import type { Api } from '../../contracts/route.js';
import type { MetricsSource } from '../../control/metrics/metrics.js';
import { createApp } from './app.js';
import { type Access, accessNotes, type ListenAddress, OPEN_ACCESS, requireProtection } from './access.js';
import { Admission } from './admission.js';
import type { AuditLog } from './audit/audit-log.js';
import type { BinaryRoute } from './binary-route.js';
import { Gate } from './gate.js';
import { bindHandlers, type Handlers, type ServerAnswered } from './handlers.js';
import { failureOf } from './failure.js';
import { followAccess } from './follow-access.js';
import { lifeCycle } from './life-cycle.js';
import { type ControlLimits, STOP_GRACE_MS_DEFAULT } from './limits.js';
import { OpenStreams } from './open-streams.js';
import { type Description, type OpenApiDocument, openApiDocument } from './openapi.js';
import { refuseOnSocket } from './raw-problem.js';
import { trackSockets } from './sockets.js';

export interface ControlServerOptions<A extends Api> extends Description {
  readonly api: A;
  readonly handlers: Handlers<A>;
  readonly id: string;
  /** Port 0 lets the system choose a free port. */
  readonly listen: ListenAddress;
  /** Who gets in. Default: anybody, and only this machine can connect. */
  readonly access?: Access | undefined;
  /** Keeps who called what. Default: nothing is kept. */
  readonly audit?: AuditLog | undefined;
  /** Sentences about what is degraded; empty when all is well. */
  readonly health: () => { readonly notes: readonly string[] };
  /** The process's wall clock, reported with its health. */
  readonly clock?: { readonly view: ClockView } | undefined;
  /** Answered at /metrics, after those that every process has. */
  readonly metrics?: MetricsSource | undefined;
  readonly log: Logger;
  readonly limits?: ControlLimits | undefined;
  readonly binaryRoutes?: readonly BinaryRoute[] | undefined;
  /** Takes over every connection that asks for an upgrade, once its caller was let in. */
  readonly onUpgrade?: ((request: IncomingMessage, socket: Duplex, head: Buffer) => void) | undefined;
}

export interface Listening {
  readonly host: string;
  readonly port: number;
  readonly url: string;
}

export interface ControlServer {
  readonly app: FastifyInstance;
  /**
   * Listens. Safe to call twice; may be called again after a failure, but not after `stop`.
   * @throws MoverError INVALID_REQUEST beyond loopback without TLS or callers, or when the address
   * can't be listened on
   */
  readonly start: () => Promise<Listening>;
  /**
   * Ends idle and upgraded connections at once, and calls in progress after a grace time. Safe to
   * call twice.
   */
  readonly stop: () => Promise<void>;
}

export function createControlServer<A extends Api & ServerAnswered>(options: ControlServerOptions<A>): ControlServer {
  const { api, role, id, listen, access = OPEN_ACCESS, audit, log, limits = {}, binaryRoutes = [] } = options;
  const { credentials } = access;
  const name = `${role.replace('-', ' ')} ${id}`;
  const startedAtMs = Date.now();
  const stopping = new AbortController();
  const cutOff = new AbortController();
  // Every call in progress adds a listener.
  setMaxListeners(0, cutOff.signal);
  let document: Promise<OpenApiDocument> | undefined;

  const admission = new Admission(new Gate(name, access, listen), audit);
  const app = createApp({
    operations: bindHandlers(api, options.handlers),
    binaryRoutes,
    health: () => {
      const notes = [...options.health().notes, ...accessNotes(access)];
      if (audit?.note !== undefined) notes.push(audit.note);
      const clock = options.clock === undefined ? {} : { clock: options.clock.view };
      return { status: notes.length === 0 ? 'ok' : 'degraded', role, id, startedAtMs, ...clock, notes };
    },
    document: async () => (document ??= openApiDocument(api, options, binaryRoutes)),
    listAudit:
      api.audit === undefined ? undefined : async (query) => audit?.list(query) ?? { process: name, entries: [] },
    metrics: options.metrics,
    admission,
    tls: listen.tls === true ? credentials.tls : undefined,
    limits,
    log,
    stopping: stopping.signal,
    cutOff: cutOff.signal,
  });
  const sockets = trackSockets(app.server);
  const streams = new OpenStreams(admission, log);
  const { onUpgrade } = options;
  if (onUpgrade !== undefined)
    app.server.on('upgrade', (request, socket, head) => {
      try {
        streams.admit(request, socket);
        onUpgrade(request, socket, head);
      } catch (error) {
        refuseOnSocket(socket, failureOf(error, 'stream'));
      }
    });
  let following: ReturnType<typeof followAccess> | undefined;

  const start = async (): Promise<Listening> => {
    requireProtection(listen, access);
    try {
      // "localhost" would open a second server, for IPv6, that nothing here knows of.
      await app.listen({ host: listen.host === 'localhost' ? '127.0.0.1' : listen.host, port: listen.port });
    } catch (error) {
      throw cannotListen(listen, error);
    }
    following = followAccess({ server: app.server, credentials, streams, log });
    const { port } = addressOf(app);
    const url = controlUrl({ host: listen.host, port, tls: listen.tls });
    log.info({ role, id, url }, 'control API listening');
    return { host: listen.host, port, url };
  };

  const stop = async (): Promise<void> => {
    const reason = new MoverError('SHUTTING_DOWN', `The ${role === id ? role : `${role} ${id}`} is shutting down.`);
    stopping.abort(reason);
    following?.stop();
    sockets.destroyStrays();
    const grace = setTimeout(() => {
      cutOff.abort(reason);
      sockets.destroyAll();
    }, limits.stopGraceMs ?? STOP_GRACE_MS_DEFAULT);
    await app.close();
    clearTimeout(grace);
    audit?.flush();
  };

  return { app, ...lifeCycle(start, stop) };
}

function addressOf(app: FastifyInstance): AddressInfo {
  const address = app.server.address();
  if (address === null || typeof address === 'string')
    throw new MoverError('INTERNAL', 'The server listens on no TCP port.');
  return address;
}

function cannotListen(listen: { readonly host: string; readonly port: number }, cause: unknown): MoverError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new MoverError('INVALID_REQUEST', `Cannot listen on ${listen.host} port ${listen.port}: ${message}`, {
    reasons: [{ code: 'INVALID_REQUEST', subject: 'listen', message }],
    cause,
  });
}
