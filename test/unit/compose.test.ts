// docker-compose.yml can't be run where there is no container engine, so what can be known of it
// without one is held here.
import { Ajv } from 'ajv';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

import { SEARCH_ATTRIBUTES } from '../../contracts/search-attributes.js';
import { RETENTION_DAYS } from '../../estate/temporal/retention.js';
import { compose, composeEstate, document, OUR_IMAGE, ours, PROJECT, services } from '../support/compose-file.js';

const isOneShot = (name: string): boolean =>
  services.some(([, { depends_on }]) => depends_on[name]?.condition === 'service_completed_successfully');

test('the image has what starts a worker, and starts it as people and docker-compose.yml do', async () => {
  const command = ['node', 'bin/volume-mover.js', 'worker'];
  const image = await readFile(join(PROJECT, 'Dockerfile'), 'utf8');
  expect(image).toContain(`CMD ${JSON.stringify(command).replaceAll(',', ', ')}`);
  expect(image).toContain('COPY --from=build /app/bin ./bin');
  expect(compose.services['worker']?.command).toEqual(command);
});

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
    const estate = composeEstate();
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
    const estate = composeEstate();
    const controls = [estate.replicaSite, ...estate.appliances, ...estate.splitters].map(({ control }) => control);
    for (const { url, port } of controls) {
      const { hostname, port: urlPort } = new URL(url ?? '');
      expect(compose.services[hostname]?.healthcheck?.test.join(' ')).toContain(`127.0.0.1:${port}/readyz`);
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
    const estate = composeEstate();
    const controls = [estate.replicaSite, ...estate.appliances, ...estate.splitters].map(({ control }) => control);
    for (const control of controls) expect(control).toMatchObject({ tls: true });
  });
});
