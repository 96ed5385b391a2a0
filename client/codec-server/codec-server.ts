// The codec server: decodes and encodes payloads for the Temporal UI and the Temporal CLI, which
// know no keys. Whoever gets an answer reads everything, so it lets in little.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { z } from 'zod';
import { MoverError, parseOrRefuse, toProblem } from '../../contracts/errors.js';
import { hostPort } from '../../contracts/estate.js';
import { closeAtOnce, portOf } from '../../control/http-listener.js';
import { isLoopback } from '../../control/loopback.js';

export interface CodecServerOptions {
  readonly codec: PayloadCodec;
  /** Loopback only: what it answers is in clear. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The web pages that may ask, for example `http://127.0.0.1:8233`: those of the Temporal UI. */
  readonly origins: readonly string[];
}

export interface CodecServer {
  readonly url: string;
  /** Safe to call twice. */
  readonly stop: () => Promise<void>;
}

/** Largest request, bytes: a page of a history has payloads of megabytes. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;
/** Headers that the UI and the CLI send. */
const HEADERS_ALLOWED = 'content-type, x-namespace, authorization';
const NO_CONTENT = 204;

const payloadsSchema = z.looseObject({
  payloads: z.array(
    z.looseObject({ metadata: z.record(z.string(), z.base64()).optional(), data: z.base64().optional() }),
  ),
});

/** Starts it. @throws MoverError INVALID_REQUEST beyond loopback, or when it can't listen */
export async function startCodecServer(options: CodecServerOptions): Promise<CodecServer> {
  const { host, port } = options;
  if (!isLoopback(host))
    throw new MoverError(
      'INVALID_REQUEST',
      `A codec server on ${host} would read everything to anyone on the network. Let it listen on 127.0.0.1, on the machine of whoever looks at the Temporal UI, or behind a proxy that knows who asks.`,
    );
  const server = createServer((request, response) => {
    void answer(options, request, response);
  });
  server.listen({ host, port });
  try {
    await once(server, 'listening');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MoverError('INVALID_REQUEST', `The codec server can't listen on ${hostPort({ host, port })}: ${why}.`, {
      cause,
    });
  }
  return { url: `http://${hostPort({ host, port: portOf(server) })}`, stop: async () => closeAtOnce(server) };
}

async function answer(options: CodecServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { origin } = request.headers;
  try {
    refuseStrangers(options, request);
    if (origin !== undefined) allow(response, origin);
    if (request.method === 'OPTIONS') {
      response.writeHead(NO_CONTENT).end();
      return;
    }
    const { payloads } = parseOrRefuse(payloadsSchema, await bodyOf(request), 'body');
    const work = workOf(options.codec, request);
    const done = await work(payloads.map(fromJson));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ payloads: done.map(toJson) }));
  } catch (error) {
    const problem = toProblem(failureOf(error));
    response.writeHead(problem.status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
  }
}

/**
 * Refuses other pages than the UI's, and a page that reached this port by a name of its own: a
 * browser lets both ask. @throws MoverError FORBIDDEN
 */
function refuseStrangers({ origins }: CodecServerOptions, { headers: { origin, host = '' } }: IncomingMessage): void {
  if (origin !== undefined && !origins.includes(origin))
    throw new MoverError(
      'FORBIDDEN',
      `Pages of ${origin} may not ask this codec server. To let them: --origin ${origin}`,
    );
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  if (!isLoopback(name)) throw new MoverError('FORBIDDEN', `This codec server is not ${name}: ask it as 127.0.0.1.`);
}

function allow(response: ServerResponse, origin: string): void {
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-allow-headers', HEADERS_ALLOWED);
  response.setHeader('access-control-allow-methods', 'POST, OPTIONS');
  response.setHeader('vary', 'origin');
}

/** The path may begin with a namespace: the Temporal CLI puts it there. */
function workOf(codec: PayloadCodec, { method = '', url = '' }: IncomingMessage): PayloadCodec['decode'] {
  const [, path] = /^(?:\/[^/?]+)?\/(encode|decode)(?:\?|$)/.exec(url) ?? [];
  if (method !== 'POST' || path === undefined)
    throw new MoverError(
      'ROUTE_NOT_FOUND',
      `There is no ${method} ${url} here; there are POST /decode and POST /encode.`,
    );
  return path === 'encode' ? async (payloads) => codec.encode(payloads) : async (payloads) => codec.decode(payloads);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new MoverError('TOO_LARGE', `The body has more than ${BODY_BYTES_MAX} bytes.`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new MoverError('INVALID_REQUEST', 'The body is no JSON.', { cause });
  }
}

type JsonPayload = z.output<typeof payloadsSchema>['payloads'][number];

function fromJson({ metadata = {}, data }: JsonPayload): Payload {
  const entries = Object.entries(metadata).map(([key, text]) => [key, Buffer.from(text, 'base64')] as const);
  return {
    metadata: Object.fromEntries(entries),
    ...(data === undefined ? {} : { data: Buffer.from(data, 'base64') }),
  };
}

function toJson({ metadata, data }: Payload): JsonPayload {
  const entries = Object.entries(metadata ?? {}).map(([key, bytes]) => [key, base64(bytes)] as const);
  return { metadata: Object.fromEntries(entries), data: base64(data ?? new Uint8Array()) };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** A payload that can't be decoded is told in the codec's own words. */
function failureOf(error: unknown): MoverError {
  if (error instanceof MoverError) return error;
  return new MoverError('INVALID_REQUEST', error instanceof Error ? error.message : String(error), { cause: error });
}
