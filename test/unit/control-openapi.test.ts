// The OpenAPI documents: current, complete, and served by each process.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { applianceApi } from '../../contracts/appliance-api.js';
import { PROBES } from '../../contracts/health.js';
import { replicaSiteApi } from '../../contracts/replica-site-api.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import {
  APPLIANCE_DESCRIPTION,
  REPLICA_SITE_DESCRIPTION,
  SPLITTER_DESCRIPTION,
} from '../../simulator/control-server/descriptions.js';
import { imageReadRoute } from '../../simulator/control-server/image-read.js';
import { openApiDocument } from '../../simulator/control-server/openapi.js';
import { sampleServer } from './control-fixture.js';

const readImage = imageReadRoute(async () => Buffer.alloc(0));
const documents = {
  splitter: () => openApiDocument(splitterApi, SPLITTER_DESCRIPTION),
  appliance: () => openApiDocument(applianceApi, APPLIANCE_DESCRIPTION),
  'replica-site': () => openApiDocument(replicaSiteApi, REPLICA_SITE_DESCRIPTION, [readImage]),
} as const;
const names = ['splitter', 'appliance', 'replica-site'] as const;

/** Every string under such a key. */
function stringsUnder(wanted: '$ref' | 'pattern', value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) =>
    key === wanted && typeof child === 'string' ? [child] : stringsUnder(wanted, child),
  );
}

test.each(names)('docs/api/%s.json is what the contract generates (npm run openapi writes it)', async (name) => {
  const generated = `${JSON.stringify(await documents[name](), null, 2)}\n`;
  expect(await readFile(new URL(`../../docs/api/${name}.json`, import.meta.url), 'utf8')).toBe(generated);
});

test.each(names)(
  'in the document of the %s every reference leads somewhere and every named schema is used',
  async (name) => {
    const document = await documents[name]();
    const targets = new Set(stringsUnder('$ref', document));
    for (const target of targets) {
      const found = target
        .slice(2)
        .split('/')
        .reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], document);
      expect(found, target).toBeDefined();
    }
    for (const schema of Object.keys(document.components.schemas))
      expect(targets).toContain(`#/components/schemas/${schema}`);
  },
);

test.each(names)(
  'the patterns of the %s are understood by the regular expressions of other languages',
  async (name) => {
    const patterns = stringsUnder('pattern', await documents[name]());
    expect(patterns).not.toHaveLength(0);
    // Without the classes of Unicode, groups with a question mark and the syntax of the v flag.
    expect(patterns.filter((pattern) => /\\[pPkuc]|\(\?|&&|--/.test(pattern))).toEqual([]);
  },
);

test('every operation of the table is in the document under its own name', async () => {
  const { paths } = await documents.appliance();
  const ids = Object.values(paths).flatMap((item) => Object.values(item).map((operation) => operation.operationId));
  expect(new Set(ids)).toEqual(new Set([...Object.keys(applianceApi), ...Object.keys(PROBES)]));
});

test('the document says which roles an operation needs, that health needs none, and which codes there are', async () => {
  const document = await documents.splitter();
  expect(document['openapi']).toBe('3.1.0');
  expect(Object.keys(document.components['securitySchemes'] ?? {})).toEqual(['bearer', 'mutualTLS']);
  for (const path of ['/healthz', '/livez', '/readyz']) expect(document.paths[path]?.['get']?.['security']).toEqual([]);
  expect(document.paths['/readyz']?.['get']?.responses).toMatchObject({
    503: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Readiness' } } } },
  });
  expect(document.paths['/v1/volumes']?.['get']?.['security']).toEqual([{ bearer: ['read'] }, { mutualTLS: ['read'] }]);
  expect(document.paths['/v1/volumes/source']?.['post']?.['security']).toEqual([
    { bearer: ['admin'] },
    { mutualTLS: ['admin'] },
  ]);
  expect(JSON.stringify(document.components['responses'])).toContain('`NOT_FENCED`');
});

test('the server serves the document of its own API', async () => {
  const server = sampleServer();
  const { url } = await server.start();
  const document: unknown = await (await fetch(`${url}/openapi.json`)).json();
  expect(document).toMatchObject({
    openapi: '3.1.0',
    info: { title: 'Sample' },
    paths: { '/v1/things': { get: { operationId: 'list' } } },
  });
});
