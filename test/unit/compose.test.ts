// docker-compose.yml can't be run where there is no container engine, so what can be known of it
// without one is held here.
import { Ajv } from 'ajv';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

import { estateSchema } from '../../contracts/estate.js';
import { SEARCH_ATTRIBUTES } from '../../contracts/search-attributes.js';
import { readAccess } from '../../simulator/control-server/access.js';
import { RETENTION_DAYS } from '../../estate/temporal/retention.js';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const OUR_IMAGE = 'volume-mover';

/** What these tests read of a service; the specification's schema checks the rest. */
const serviceSchema = z.looseObject({
  image: z.string(),
  build: z.string().optional(),
  command: z.array(z.string()).optional(),
  entrypoint: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  ports: z.array(z.string()).default([]),
  secrets: z.array(z.union([z.string(), z.object({ source: z.string(), target: z.string() })])).default([]),
  depends_on: z.record(z.string(), z.looseObject({ condition: z.string() })).default({}),
  healthcheck: z.looseObject({ test: z.array(z.string()) }).optional(),
});
const composeSchema = z.looseObject({
  services: z.record(z.string(), serviceSchema),
  configs: z.record(z.string(), z.object({ content: z.string() })),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
});

const document: unknown = parse(await readFile(join(PROJECT, 'docker-compose.yml'), 'utf8'), { merge: true });
const compose = composeSchema.parse(document);
const services = Object.entries(compose.services);
const ours = services.filter(([, service]) => service.image === OUR_IMAGE);
const isOneShot = (name: string): boolean =>
  services.some(([, { depends_on }]) => depends_on[name]?.condition === 'service_completed_successfully');

/** The host name by which others reach a process, by its id. */
const estateHosts = ((): ReadonlyMap<string, string> => {
  const { replicaSite, appliances, splitters } = estateSchema.parse(
    JSON.parse(compose.configs['estate']?.content ?? ''),
  );
  const named = [{ id: 'replica-site', ...replicaSite }, ...appliances, ...splitters];
  return new Map(named.map(({ id, control }) => [id, new URL(control.url ?? '').hostname]));
})();

describe('docker-compose.yml', () => {
  test('is a valid Compose file by the specification', async () => {
    // dclint carries the Compose specification's JSON schema.
    const dclint = dirname(createRequire(import.meta.url).resolve('dclint/package.json'));
    const schema: unknown = JSON.parse(await readFile(join(dclint, 'schemas', 'compose.schema.json'), 'utf8'));
    const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
    const { $schema: _http, ...draft07 } = z.looseObject({ $schema: z.string() }).parse(schema);
    const isValid = ajv.validate(draft07, document);
    expect(ajv.errors ?? []).toEqual([]);
    expect(isValid).toBe(true);
  });

  test('publishes ports on loopback only, each once', () => {
    const published = services.flatMap(([, { ports }]) => ports);
    expect(published.length).toBeGreaterThan(0);
    for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    const hostPorts = published.map((port) => port.split(':')[1]);
    expect(new Set(hostPorts).size).toBe(hostPorts.length);
  });

  test('checks the health of every service that stays', () => {
    const unchecked = services.filter(([name, { healthcheck }]) => !isOneShot(name) && healthcheck === undefined);
    expect(unchecked.map(([name]) => name)).toEqual([]);
  });

  test('waits only for services that there are, and for health only where it is checked', () => {
    for (const [name, { depends_on }] of services) {
      for (const [needed, { condition }] of Object.entries(depends_on)) {
        const service = compose.services[needed];
        expect(service, `${name} needs ${needed}`).toBeDefined();
        if (condition === 'service_healthy') expect(service?.healthcheck, `${name} needs ${needed}`).toBeDefined();
      }
    }
  });

  test('pins every foreign image to a version', () => {
    const foreign = services.map(([, { image }]) => image).filter((image) => image !== OUR_IMAGE);
    for (const image of foreign) expect(image).toMatch(/:\d+/);
  });

  test('uses no auto-setup image of Temporal', () => {
    expect(services.filter(([, { image }]) => image.includes('auto-setup'))).toEqual([]);
  });

  test('carries an estate file that our own schema accepts, with one process for each of its members', () => {
    const estate = estateSchema.parse(JSON.parse(compose.configs['estate']?.content ?? ''));
    const ids = ours.map(([, { environment }]) => environment['VOLUME_MOVER_ID']);
    const members = [...estate.appliances, ...estate.splitters].map(({ id }) => String(id));
    expect(new Set(ids)).toEqual(new Set(['replica-site', 'worker-1', ...members]));
    expect(ids.length).toBe(members.length + 2);
  });

  test('keeps finished workflows for 30 days and registers every search attribute before the worker starts', () => {
    const setUp = z.array(z.string()).parse(compose.services['temporal-namespace']?.command).join('\n');
    for (const step of ['create', 'update'])
      expect(setUp).toContain(`namespace ${step} -n default --retention ${RETENTION_DAYS * 24}h`);
    for (const [name, type] of Object.entries(SEARCH_ATTRIBUTES))
      expect(setUp).toContain(`--name ${name} --type ${type}`);
    expect(compose.services['worker']?.depends_on).toHaveProperty('temporal-namespace');
  });

  test('lets the processes find each other by service name and port', () => {
    const estate = estateSchema.parse(JSON.parse(compose.configs['estate']?.content ?? ''));
    const controls = [estate.replicaSite, ...estate.appliances, ...estate.splitters].map(({ control }) => control);
    for (const { url, port } of controls) {
      const { hostname, port: urlPort } = new URL(url ?? '');
      expect(compose.services[hostname]?.healthcheck?.test.join(' ')).toContain(`127.0.0.1:${port}/healthz`);
      expect(Number(urlPort)).toBe(port);
    }
  });

  test('gives every process of ours its estate file, a folder for its data, and what it shows and whom it knows', () => {
    for (const [name, { environment, secrets }] of ours) {
      expect(Object.keys(environment), name).toEqual(
        expect.arrayContaining(['VOLUME_MOVER_ESTATE', 'VOLUME_MOVER_ID', 'VOLUME_MOVER_DATA']),
      );
      const files = Object.entries(environment).filter(([variable]) => variable.endsWith('_FILE'));
      expect(
        files.map(([variable]) => variable),
        name,
      ).toEqual([
        'VOLUME_MOVER_TLS_CA_FILE',
        'VOLUME_MOVER_TLS_CERT_FILE',
        'VOLUME_MOVER_TLS_KEY_FILE',
        'VOLUME_MOVER_CALLERS_FILE',
      ]);
      const targets = secrets.map((secret) => (typeof secret === 'string' ? secret : secret.target));
      for (const [, path] of files) expect(targets, name).toContain(String(path).replace('/run/secrets/', ''));
    }
  });

  test('holds no secret itself, and serves control calls over TLS alone', () => {
    const passwords = services.flatMap(([, { environment }]) =>
      Object.keys(environment).filter((variable) => /PASSWORD|PWD|TOKEN|SECRET/.test(variable)),
    );
    expect(passwords).toEqual(['POSTGRES_PASSWORD_FILE']);
    const estate = estateSchema.parse(JSON.parse(compose.configs['estate']?.content ?? ''));
    const controls = [estate.replicaSite, ...estate.appliances, ...estate.splitters].map(({ control }) => control);
    for (const control of controls) expect(control).toMatchObject({ tls: true });
  });

  test('finds every secret that scripts/make-secrets.sh makes, each fit for its process', () => {
    const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const make = (): Buffer => execFileSync(join(PROJECT, 'scripts', 'make-secrets.sh'), [folder]);
    make();
    const pathOf = (secret: string): string =>
      join(folder, compose.secrets[secret]?.file.replace('./secrets/', '') ?? secret);
    for (const secret of Object.keys(compose.secrets)) expect(existsSync(pathOf(secret)), secret).toBe(true);
    for (const [name, { environment, secrets }] of ours) {
      const byTarget = new Map(
        secrets.map((secret) => (typeof secret === 'string' ? [secret, secret] : [secret.target, secret.source])),
      );
      const read = Object.fromEntries(
        Object.entries(environment).map(([variable, value]) => {
          const source = byTarget.get(String(value).replace('/run/secrets/', ''));
          return [variable, source === undefined ? String(value) : pathOf(source)];
        }),
      );
      const { callers, credentials } = readAccess(read);
      expect(callers.areKnown, name).toBe(true);
      const certificate = new X509Certificate(credentials.tls?.cert ?? '');
      const host = estateHosts.get(String(environment['VOLUME_MOVER_ID']));
      if (host !== undefined) expect(certificate.checkHost(host), name).toBe(host);
      expect(certificate.checkIP('127.0.0.1'), name).toBe('127.0.0.1');
    }
    // A second run leaves them as they are: processes know each other by them.
    const before = readFileSync(join(folder, 'ca.pem'));
    make();
    expect(readFileSync(join(folder, 'ca.pem'))).toEqual(before);
  });
});
