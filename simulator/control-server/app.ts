// The HTTP application of a control server, before it listens: routes, parsing, token, limits,
// errors.
import type { Socket } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { createSerializerCompiler } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import { MoverError, parseOrRefuse } from '../../contracts/errors.js';
import { type Health, healthOperation } from '../../contracts/health.js';
import type { Operation } from '../../contracts/route.js';
import { checkBearer } from './bearer.js';
import type { BinaryRoute } from './binary-route.js';
import { callContext } from './call-context.js';
import type { BoundOperation, CallContext } from './handlers.js';
import { BODY_BYTES_MAX_DEFAULT, type ControlLimits, REQUEST_MS_MAX_DEFAULT } from './limits.js';
import type { OpenApiDocument } from './openapi.js';
import { problemReply } from './problem-reply.js';
import { refuseOnSocket } from './raw-problem.js';

const OPENAPI_PATH = '/openapi.json';
/** Paths that need no token: whether the process serves, and how to call it. */
const PUBLIC_PATHS: ReadonlySet<string | undefined> = new Set([healthOperation.path, OPENAPI_PATH]);

interface AppOptions {
  readonly operations: readonly BoundOperation[];
  readonly binaryRoutes: readonly BinaryRoute[];
  readonly health: () => Health;
  readonly document: () => Promise<OpenApiDocument>;
  readonly token: string | undefined;
  readonly limits: ControlLimits;
  readonly log: Logger;
  /** Once aborted, new requests are refused with its reason and connections aren't kept alive. */
  readonly stopping: AbortSignal;
  /** Aborts the calls in progress. */
  readonly cutOff: AbortSignal;
}

export function createApp(options: AppOptions): FastifyInstance {
  const { operations, binaryRoutes, health, document, token, limits, log, stopping, cutOff } = options;
  const replyWithProblem = problemReply(log);
  const app = fastify({
    bodyLimit: limits.bodyBytesMax ?? BODY_BYTES_MAX_DEFAULT,
    requestTimeout: limits.requestMsMax ?? REQUEST_MS_MAX_DEFAULT,
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
    if (!PUBLIC_PATHS.has(request.routeOptions.url)) checkBearer(token, request.headers.authorization);
  });
  app.addHook('onSend', async (_request, reply) => {
    if (stopping.aborted) reply.header('connection', 'close');
  });

  app.setSerializerCompiler(createSerializerCompiler());
  const add = (operation: Operation, call: (input: unknown, context: CallContext) => unknown): void => {
    app.route({
      method: operation.method,
      url: operation.path,
      schema: { response: { 200: operation.output } },
      handler: async (request, reply) =>
        call(operation.method === 'GET' ? request.query : request.body, callContext(reply, cutOff)),
    });
  };
  add(healthOperation, (input) => {
    parseOrRefuse(healthOperation.input, input, 'input');
    return health();
  });
  for (const { operation, call } of operations) add(operation, call);
  for (const route of binaryRoutes) {
    app.get(route.path, async (request: FastifyRequest, reply: FastifyReply) => {
      const bytes = await route.read(request.query, callContext(reply, cutOff));
      return reply.type('application/octet-stream').send(bytes);
    });
  }
  app.get(OPENAPI_PATH, document);
  return app;
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
