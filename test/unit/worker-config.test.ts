// What a worker is told by its environment: what is taken, what is refused, and in which words.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { readWorkerConfig } from '../../workers/config.js';

let folder: string;
let estate: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'volume-mover-test-'));
  estate = join(folder, 'estate.json');
  writeFileSync(
    estate,
    JSON.stringify({
      temporal: { port: 7001, uiPort: 7002 },
      replicaSite: { control: { port: 1 } },
      appliances: [{ id: 'a1', control: { port: 2 }, nbd: { port: 3 } }],
      splitters: [{ id: 's1', control: { port: 4 }, nbd: { port: 5 }, volumes: [] }],
      groups: [{ id: 'g1', appliance: 'a1' }],
      worker: { health: { port: 0 } },
    }),
  );
  writeFileSync(join(folder, 'broken.json'), '{');
  writeFileSync(
    join(folder, 'temporal.toml'),
    '[profile.cloud]\naddress = "cloud.test:7233"\nnamespace = "moves"\napi_key = "secret"\n',
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** No configuration file of the user who runs the tests is read. */
const read = (environment: Record<string, string>) =>
  readWorkerConfig({ TEMPORAL_CONFIG_FILE: join(folder, 'none.toml'), VOLUME_MOVER_ESTATE: estate, ...environment });

function refusalOf(environment: Record<string, string>): string {
  try {
    read(environment);
  } catch (error) {
    if (error instanceof MoverError && error.code === 'INVALID_REQUEST') return error.message;
    throw error;
  }
  return 'it was accepted';
}

describe('the Temporal server', () => {
  test('is the one of the estate file unless something else is named', () => {
    expect(read({}).temporal).toEqual({
      connection: { address: '127.0.0.1:7001' },
      namespace: 'default',
      source: 'estate file',
    });
  });

  test('is what TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE name', () => {
    expect(read({ TEMPORAL_ADDRESS: 'temporal:7233', TEMPORAL_NAMESPACE: 'moves' }).temporal).toEqual({
      connection: { address: 'temporal:7233' },
      namespace: 'moves',
      source: 'environment',
    });
  });

  test('is the one of a profile in temporal.toml, with its API key', () => {
    const { temporal } = read({ TEMPORAL_CONFIG_FILE: join(folder, 'temporal.toml'), TEMPORAL_PROFILE: 'cloud' });
    expect(temporal).toMatchObject({
      connection: { address: 'cloud.test:7233', apiKey: 'secret' },
      namespace: 'moves',
    });
  });

  test('is refused when the profile does not exist', () => {
    expect(refusalOf({ TEMPORAL_CONFIG_FILE: join(folder, 'temporal.toml'), TEMPORAL_PROFILE: 'clowd' })).toContain(
      'clowd',
    );
  });
});

test('variables that are set to nothing count as not set', () => {
  const config = read({ VOLUME_MOVER_TOKEN: '', VOLUME_MOVER_LOG_LEVEL: '', VOLUME_MOVER_EXIT_WITH_PARENT: '' });
  expect(config).toMatchObject({ logLevel: 'info', exitWithParent: false });
  expect(config.credentials.token).toBeUndefined();
});

test('a worker without a given id gets one that tells it from others', () => {
  expect(read({}).id).toContain(String(process.pid));
  expect(read({ VOLUME_MOVER_ID: 'worker-1' }).id).toBe('worker-1');
});

describe('what is not accepted is refused by the name of its variable', () => {
  test.each([
    { what: 'no estate', environment: { VOLUME_MOVER_ESTATE: '' }, says: 'VOLUME_MOVER_ESTATE: must be set' },
    { what: 'no such log level', environment: { VOLUME_MOVER_LOG_LEVEL: 'loud' }, says: 'VOLUME_MOVER_LOG_LEVEL: ' },
    {
      what: 'a flag that is no flag',
      environment: { VOLUME_MOVER_EXIT_WITH_PARENT: 'yes' },
      says: 'VOLUME_MOVER_EXIT_WITH_PARENT: "1" for yes',
    },
    {
      what: 'metrics without a port',
      environment: { VOLUME_MOVER_METRICS: 'here' },
      says: 'VOLUME_MOVER_METRICS: host:port',
    },
    {
      what: 'half a deployment',
      environment: { VOLUME_MOVER_DEPLOYMENT: 'moves' },
      says: 'VOLUME_MOVER_BUILD_ID: set together',
    },
  ])('$what', ({ environment, says }) => {
    expect(refusalOf(environment)).toContain(says);
  });

  test('an estate file that is missing or is no JSON', () => {
    expect(refusalOf({ VOLUME_MOVER_ESTATE: join(folder, 'missing.json') })).toContain(
      'missing.json is missing: set VOLUME_MOVER_ESTATE',
    );
    expect(refusalOf({ VOLUME_MOVER_ESTATE: join(folder, 'broken.json') })).toContain('cannot be read as JSON');
  });
});
