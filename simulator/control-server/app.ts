// The HTTP application of a control server, before it listens: routes, parsing, who may call,
// limits, errors.
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerFactory,
  fastify,
} from 'fastify';
import { createSerializerCompiler } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import { auditOperation } from '../../contracts/audit.js';
import { MoverError, parseOrRefuse } from '../../contracts/errors.js';
import { type Health, healthOperation } from '../../contracts/health.js';
import type { Operation, ParsedInputOf } from '../../contracts/route.js';
import type { TlsIdentity } from '../../control/credentials.js';
import type { MetricsSource } from '../../control/metrics/metrics.js';
import { METRICS_CONTENT_TYPE, METRICS_PATH, metricsPage } from '../../control/metrics/metrics-page.js';
import { processMetrics } from '../../control/metrics/process-metrics.js';
import type { Admission } from './admission.js';
import type { BinaryRoute } from './binary-route.js';
import { callContext } from './call-context.js';
import type { BoundOperation, CallContext } from './handlers.js';
import { BODY_BYTES_MAX_DEFAULT, type ControlLimits, REQUEST_MS_MAX_DEFAULT } from './limits.js';
import type { Rule } from './gate.js';
import type { OpenApiDocument } from './openapi.js';
import { problemReply } from './problem-reply.js';
import { refuseOnSocket } from './raw-problem.js';

const OPENAPI_PATH = '/openapi.json';
/** How long an idle TLS connection is kept, ms: as long as a plain one, longer than clients do. */
const KEEP_ALIVE_MS = 72_000;

interface AppOptions {
  readonly operations: readonly BoundOperation[];
  readonly binaryRoutes: readonly BinaryRoute[];
  readonly health: () => Health;
  /** Lists the audit; undefined for an API without one. */
  readonly listAudit: ((query: ParsedInputOf<typeof auditOperation>) => Promise<unknown>) | undefined;
  readonly document: () => Promise<OpenApiDocument>;
  /** Metrics beside those that every process has. */
  readonly metrics: MetricsSource | undefined;
  readonly admission: Admission;
  /** The server's own certificate; undefined for plain HTTP. */
  readonly tls: TlsIdentity | undefined;
  readonly limits: ControlLimits;
  readonly log: Logger;
  /** Once aborted, new requests are refused with its reason and connections aren't kept alive. */
  readonly stopping: AbortSignal;
  /** Aborts the calls in progress. */
  readonly cutOff: AbortSignal;
}

export function createApp(options: AppOptions): FastifyInstance {
  const { operations, binaryRoutes, health, listAudit, document, admission, tls, limits, log, stopping, cutOff } =
    options;
  const replyWithProblem = problemReply(log);
  const requestTimeout = limits.requestMsMax ?? REQUEST_MS_MAX_DEFAULT;
  const app = fastify({
    bodyLimit: limits.bodyBytesMax ?? BODY_BYTES_MAX_DEFAULT,
    requestTimeout,
    ...(tls === undefined ? {} : { serverFactory: tlsServerFactory(tls, requestTimeout) }),
    exposeHeadRoutes: false,
    // The hook below refuses instead, with the registry's code.
    return503OnClosing: false,
    frameworkErrors: replyWithProblem,
    clientErrorHandler: refuseBadHttp,
  });
  // Browsers send text/plain to other origins without a preflight request, but not JSON.
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler(replyWithProblem);
  app.setNotFoundHandler((request, reply) => {
    replyWithProblem(
      new MoverError('ROUTE_NOT_FOUND', `There is no ${request.method} ${pathOf(request.url)}.`),
      request,
      reply,
    );
  });
  app.addHook('onRequest', async (request) => {
    stopping.throwIfAborted();
    admission.admit(request.raw, ruleOf(request));
  });
  app.addHook('onSend', async (_request, reply) => {
    if (stopping.aborted) reply.header('connection', 'close');
  });

  app.setSerializerCompiler(createSerializerCompiler());
  const rules = new Map<string, Rule>();
  /** What an unknown path needs: a caller who is known. */
  const ruleOf = ({ method, routeOptions, url }: FastifyRequest): Rule =>
    rules.get(`${method} ${routeOptions.url}`) ?? { operation: `${method} ${pathOf(url)}`, roles: ['read'] };
  const add = (name: string, operation: Operation, call: (input: unknown, context: CallContext) => unknown): void => {
    rules.set(`${operation.method} ${operation.path}`, { operation: name, roles: operation.roles });
    app.route({
      method: operation.method,
      url: operation.path,
      schema: { response: { 200: operation.output } },
      handler: async (request, reply) => {
        const input = operation.method === 'GET' ? request.query : request.body;
        return admission.audited(request.raw, { name, operation, input }, () =>
          call(input, callContext(reply, cutOff)),
        );
      },
    });
  };
  add('health', healthOperation, (input) => {
    parseOrRefuse(healthOperation.input, input, 'input');
    return health();
  });
  if (listAudit !== undefined)
    add('audit', auditOperation, async (input) => listAudit(parseOrRefuse(auditOperation.input, input, 'input')));
  for (const { name, operation, call } of operations) add(name, operation, call);
  for (const route of binaryRoutes) {
    rules.set(`GET ${route.path}`, { operation: route.name, roles: route.roles });
    app.get(route.path, async (request: FastifyRequest, reply: FastifyReply) => {
      const bytes = await route.read(request.query, callContext(reply, cutOff));
      return reply.type('application/octet-stream').send(bytes);
    });
  }
  rules.set(`GET ${OPENAPI_PATH}`, { operation: 'openapi', roles: [] });
  app.get(OPENAPI_PATH, document);
  // They name volumes and groups, so they need what a listing of those needs.
  rules.set(`GET ${METRICS_PATH}`, { operation: 'metrics', roles: ['read'] });
  const sources = [processMetrics({ health }), ...(options.metrics === undefined ? [] : [options.metrics])];
  app.get(METRICS_PATH, async (_request, reply) => reply.type(METRICS_CONTENT_TYPE).send(await metricsPage(sources)));
  return app;
}

/**
 * Makes a TLS server. It asks for a client certificate, and the gate looks at it: whoever has none
 * or a wrong one is refused in words instead of an alert.
 */
function tlsServerFactory(tls: TlsIdentity, requestTimeout: number): FastifyServerFactory {
  return (handler) => {
    const server = createTlsServer({ ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: false }, handler);
    server.requestTimeout = requestTimeout;
    server.keepAliveTimeout = KEEP_ALIVE_MS;
    return server;
  };
}

/** Refuses what isn't HTTP, has too large a header, or doesn't arrive in time. */
function refuseBadHttp(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = error.code === 'HPE_HEADER_OVERFLOW' ? 'TOO_LARGE' : 'INVALID_REQUEST';
  refuseOnSocket(socket, new MoverError(code, `The request can't be read: ${error.message}`));
}

function pathOf(url: string): string {
  return url.split('?', 1).join();
}
