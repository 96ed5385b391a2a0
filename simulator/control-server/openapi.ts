// The OpenAPI 3.1 document of an API, generated from the same table as its server and client: how a
// vendor's product plugs in.
import swagger from '@fastify/swagger';
import { fastify } from 'fastify';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { problemSchema } from '../../contracts/errors.js';
import { healthOperation, PROBES } from '../../contracts/health.js';
import type { Role } from '../../contracts/roles.js';
import type { Api, Operation } from '../../contracts/route.js';
import type { BinaryRoute } from './binary-route.js';
import { mergeable, reachable, renamed } from './components.js';
import { namedSchemas } from './named-schemas.js';
import { problemReferences, problemResponses, type ServerRole } from './problem-responses.js';

/** Version of the control APIs, not of the program: grows when a vendor must change something. */
const API_VERSION = '1.0.0';

const BEARER =
  'Required when the server was given tokens. An operation names the roles of which the caller needs one; `admin` includes all, every role includes `read`.';
const MUTUAL_TLS =
  'A client certificate is required beyond loopback. Its names may be those of a caller with roles; a server that was given no callers lets every certificate of its authority do everything.';

/** Set here: the plugin knows those of OpenAPI 3.0, which has no mutualTLS. */
const SECURITY_SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', description: BEARER },
  mutualTLS: { type: 'mutualTLS', description: MUTUAL_TLS },
};

/** What anybody may ask, and what looks nothing up. */
const BARE_PATHS = new Set([healthOperation, PROBES.live, PROBES.ready].map(({ path }) => path));

export interface Description {
  /** The process that serves the API: only its errors are listed. */
  readonly role: ServerRole;
  readonly title: string;
  readonly description: string;
}

const operationSchema = z.looseObject({
  operationId: z.string(),
  summary: z.string(),
  responses: z.record(z.string(), z.unknown()),
});
/** The parts of the generated document that are used here; the rest is kept as it is. */
const documentSchema = z.looseObject({
  openapi: z.string(),
  info: z.looseObject({ title: z.string() }),
  paths: z.record(z.string(), z.record(z.string(), operationSchema)),
  components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
});
export type OpenApiDocument = z.output<typeof documentSchema>;

/** Generates the document without listening. The same input gives the same document, key by key. */
export async function openApiDocument(
  api: Api,
  about: Description,
  binaryRoutes: readonly BinaryRoute[] = [],
): Promise<OpenApiDocument> {
  const app = fastify();
  // The routes of this instance are described, never called.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => JSON.stringify);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: about.title, description: about.description, version: API_VERSION },
    },
    transform: createJsonSchemaTransform({ schemaRegistry: namedSchemas }),
    transformObject: createJsonSchemaTransformObject({ schemaRegistry: namedSchemas }),
  });
  const neverCalled = (): never => {
    throw new Error('A route that only describes the API was called.');
  };
  const operations = Object.entries<Operation>({ health: healthOperation, ...PROBES, ...api });
  for (const [name, operation] of operations) {
    app.route({
      method: operation.method,
      url: operation.path,
      schema: schemaOf(name, operation),
      handler: neverCalled,
    });
  }
  for (const route of binaryRoutes) {
    app.route({ method: 'GET', url: route.path, schema: binarySchemaOf(route), handler: neverCalled });
  }
  await app.ready();
  const generated = documentSchema.parse(app.swagger());
  await app.close();
  const rolesOf = new Map([
    ...operations.map(([name, { roles }]) => [name, roles] as const),
    ...binaryRoutes.map(({ name, roles }) => [name, roles] as const),
  ]);
  return tidied(generated, about.role, rolesOf);
}

function schemaOf(name: string, operation: Operation): Record<string, unknown> {
  return {
    operationId: name,
    summary: operation.summary,
    [operation.method === 'GET' ? 'querystring' : 'body']: operation.input,
    response: {
      200: { description: 'The answer.', content: { 'application/json': { schema: operation.output } } },
      ...(operation.answersUnready === true ? { 503: unreadyOf(operation) } : {}),
    },
  };
}

function unreadyOf({ output }: Operation): Record<string, unknown> {
  return {
    description: 'The process can not serve now.',
    content: { 'application/json': { schema: output }, 'application/problem+json': { schema: problemSchema } },
  };
}

/** A token or a certificate with one of the roles. For these schemes OpenAPI 3.1 lists roles so. */
function securityOf(roles: readonly Role[]): Record<string, string[]>[] {
  return ['bearer', 'mutualTLS'].flatMap((scheme) => roles.map((role) => ({ [scheme]: [role] })));
}

function binarySchemaOf({ name, summary, input }: BinaryRoute): Record<string, unknown> {
  const bytes = z.string().meta({ contentMediaType: 'application/octet-stream' });
  const response = { 200: { description: 'The bytes.', content: { 'application/octet-stream': { schema: bytes } } } };
  return { operationId: name, summary, querystring: input, response };
}

function tidied(
  generated: OpenApiDocument,
  role: ServerRole,
  rolesOf: ReadonlyMap<string, readonly Role[]>,
): OpenApiDocument {
  const { paths, components } = generated;
  const merged = mergeable(components.schemas);
  for (const [path, item] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const { operationId, summary, responses, ...rest } = operation;
      const problems = problemReferences(role, method === 'post' ? 'POST' : 'GET', BARE_PATHS.has(path));
      const security = securityOf(rolesOf.get(operationId) ?? []);
      item[method] = { operationId, summary, security, ...rest, responses: { ...problems, ...responses } };
    }
  }
  const responses = problemResponses(role);
  const used = reachable(
    renamed({ paths, responses }, merged),
    Object.fromEntries(entriesRenamed(components.schemas, merged)),
  );
  const schemas = entriesRenamed(components.schemas, merged).filter(([name]) => used.has(name));
  return documentSchema.parse({
    ...generated,
    paths: renamed(paths, merged),
    components: { ...components, securitySchemes: SECURITY_SCHEMES, responses, schemas: Object.fromEntries(schemas) },
  });
}

function entriesRenamed(schemas: Readonly<Record<string, unknown>>, merged: ReadonlySet<string>): [string, unknown][] {
  return Object.entries(schemas).map(([name, schema]) => [name, renamed(schema, merged)]);
}
