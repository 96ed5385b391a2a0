// Which Temporal server is meant, over all sources of settings: worker and client call the same
// one, with the same key, namespace and certificate, and every mistake is told at once.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TargetFlags, variablesOf } from '../../client/cli/target-flags.js';
import { connectTemporal } from '../../client/temporal/connection.js';
import { MoverError } from '../../contracts/errors.js';
import { readEstateFile } from '../../control/estate-file.js';
import { readTemporalSettings } from '../../control/temporal-settings.js';
import { readWorkerConfig } from '../../workers/config.js';
import { connectToTemporal } from '../../workers/temporal-connection.js';
import { Authority } from '../support/authority.js';
import { type StandInOptions, TemporalStandIn } from '../support/temporal-stand-in.js';

const PLACES = ['variable', 'flag', 'estate', 'profile', 'named'] as const;
type Place = (typeof PLACES)[number];

const servers = new Map<Place, { readonly server: TemporalStandIn; readonly port: number }>();
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'volume-mover-test-'));
  for (const place of PLACES) {
    const server = new TemporalStandIn();
    servers.set(place, { server, port: await server.start() });
  }
});
afterAll(() => {
  for (const { server } of servers.values()) server.stop();
  rmSync(folder, { recursive: true, force: true });
});

function addressOf(place: Place): string {
  return `127.0.0.1:${servers.get(place)?.port}`;
}

function placed(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function estateFile(temporal?: object): string {
  return placed(
    'estate.json',
    JSON.stringify({
      temporal,
      replicaSite: { control: { port: 1 } },
      appliances: [{ id: 'a1', control: { port: 2 }, nbd: { port: 3 } }],
      splitters: [{ id: 's1', control: { port: 4 }, nbd: { port: 5 }, volumes: [] }],
      groups: [{ id: 'g1', appliance: 'a1' }],
      worker: { health: { port: 0 } },
    }),
  );
}

interface Used {
  readonly place: Place;
  readonly namespace: string;
  readonly key: string | undefined;
}

/** The server that a connection reached, and the key it got. */
async function reached(connect: () => Promise<string>): Promise<Used> {
  for (const { server } of servers.values()) server.calls.length = 0;
  const namespace = await connect();
  const called = PLACES.filter((place) => (servers.get(place)?.server.calls.length ?? 0) > 0);
  const [place] = called;
  if (place === undefined || called.length > 1) throw new Error(`Called were: ${called.join(', ')}.`);
  const authorization = servers.get(place)?.server.calls[0]?.authorization;
  return { place, namespace, key: authorization?.replace('Bearer ', '') };
}

async function asClient(environment: NodeJS.ProcessEnv): Promise<Used> {
  return reached(async () => {
    const access = await connectTemporal(readEstateFile(environment['VOLUME_MOVER_ESTATE'] ?? ''), environment);
    await access.close();
    return access.client.options.namespace;
  });
}

async function asWorker(environment: NodeJS.ProcessEnv): Promise<Used> {
  return reached(async () => {
    const { temporal } = readWorkerConfig(environment);
    const connection = await connectToTemporal(temporal, { warn: () => {} }, new AbortController().signal);
    await connection.close();
    return temporal.namespace;
  });
}

describe('worker and client use the same server, namespace and key', () => {
  const variables = [
    { what: 'nothing', set: {} },
    { what: 'an address', set: { TEMPORAL_ADDRESS: 'variable' } },
    { what: 'a namespace', set: { TEMPORAL_NAMESPACE: 'of-variable' } },
    { what: 'a key', set: { TEMPORAL_API_KEY: 'key-of-variable', TEMPORAL_TLS: 'false' } },
    { what: 'a key for servers with TLS', set: { TEMPORAL_API_KEY: 'key-of-variable' }, tlsOfFile: false },
    { what: 'a profile', set: { TEMPORAL_PROFILE: 'named' } },
  ];
  const flags: readonly { readonly what: string; readonly set: TargetFlags }[] = [
    { what: 'nothing', set: {} },
    { what: 'an address', set: { address: 'flag' } },
    { what: 'a namespace', set: { namespace: 'of-flag' } },
    { what: 'a profile', set: { profile: 'named' } },
  ];
  const files = [{ names: true }, { names: false }];
  const profiles = ['none', 'default', 'default without address'] as const;
  const table = variables.flatMap((variable) =>
    flags.flatMap((flag) => files.flatMap((file) => profiles.map((profile) => ({ variable, flag, file, profile })))),
  );

  /** What the documented order says, written down apart from the code. */
  function expected({ variable, flag, file, profile }: (typeof table)[number]): Partial<Used> {
    const isNamed = flag.set.profile !== undefined || 'TEMPORAL_PROFILE' in variable.set;
    const hasDefault = !isNamed && profile !== 'none';
    const ofProfile = hasDefault && profile === 'default';
    const hasAddressVariable = 'TEMPORAL_ADDRESS' in variable.set;
    const place: Place =
      flag.set.address !== undefined
        ? 'flag'
        : hasAddressVariable
          ? 'variable'
          : isNamed
            ? 'named'
            : file.names
              ? 'estate'
              : 'profile';
    const isUsed = hasDefault && !(ofProfile && place === 'estate');
    const ofUsed = isNamed ? 'of-named' : place === 'estate' ? 'of-estate' : isUsed ? 'of-profile' : 'default';
    const namespace = flag.set.namespace ?? variable.set.TEMPORAL_NAMESPACE ?? ofUsed;
    const isPlainFile = place === 'estate' && variable.tlsOfFile === false;
    const ofVariable = variable.set.TEMPORAL_API_KEY;
    const key = isPlainFile
      ? undefined
      : (ofVariable ?? (isNamed ? 'key-of-named' : isUsed ? 'key-of-profile' : undefined));
    return { place, namespace, key };
  }

  /** Rows that a stand-in can answer: an address leads to it, and no key alone asks for TLS. */
  const rows = table.filter((row) => {
    const { place, key } = expected(row);
    const isAddressless = place === 'profile' && row.profile !== 'default';
    const wantsTls = row.variable.tlsOfFile === false && key !== undefined && place !== 'estate';
    return !isAddressless && !wantsTls;
  });

  test(`in ${rows.length} combinations of variables, flags, estate file and temporal.toml`, async () => {
    expect(rows.length).toBeGreaterThan(70);
    for (const row of rows) {
      const { variable, flag, file, profile } = row;
      const named = `[profile.named]\naddress = "${addressOf('named')}"\nnamespace = "of-named"\napi_key = "key-of-named"\ntls.disabled = true\n`;
      const other = `[profile.default]\n${profile === 'default' ? `address = "${addressOf('profile')}"\n` : ''}namespace = "of-profile"\napi_key = "key-of-profile"\ntls.disabled = true\n`;
      const { port } = servers.get('estate') ?? { port: 0 };
      const temporal = { port, uiPort: 1, namespace: 'of-estate', tls: variable.tlsOfFile };
      const address = flag.set.address === undefined ? {} : { address: addressOf('flag') };
      const environment: NodeJS.ProcessEnv = {
        ...variable.set,
        ...('TEMPORAL_ADDRESS' in variable.set ? { TEMPORAL_ADDRESS: addressOf('variable') } : {}),
        ...variablesOf({ ...flag.set, ...address }),
        VOLUME_MOVER_ESTATE: estateFile(file.names ? temporal : undefined),
        TEMPORAL_CONFIG_FILE: placed('temporal.toml', named + (profile === 'none' ? '' : other)),
      };
      const what = JSON.stringify(row);
      const client = await asClient(environment);
      expect(client, what).toEqual(expected(row));
      expect(await asWorker(environment), what).toEqual(client);
    }
  });
});

function refusalOf(read: () => unknown): MoverError {
  try {
    read();
  } catch (error) {
    if (error instanceof MoverError) return error;
    throw error;
  }
  throw new Error('It was accepted.');
}

describe('mistakes', () => {
  test('are all told at once, by name, with what to write', () => {
    const { reasons, code } = refusalOf(() =>
      readWorkerConfig({
        VOLUME_MOVER_LOG_LEVEL: 'loud',
        VOLUME_MOVER_ESTATE: join(folder, 'none.json'),
        VOLUME_MOVER_TOKEN_FILE: join(folder, 'no-token'),
        TEMPORAL_ADDRESS: 'https://temporal.example.com',
        TEMPORAL_TLS: 'on',
        TEMPORAL_PROFILE: 'clowd',
        TEMPORAL_CONFIG_FILE: placed('temporal.toml', '[profile.cloud]\naddress = "h:1"\n'),
        TEMPORAL_TLS_CLIENT_CERT_PATH: join(folder, 'none.pem'),
        TEMPORAL_TLS_SERVER_CA_CERT_DATA: 'no PEM',
      }),
    );
    expect(code).toBe('INVALID_REQUEST');
    const told = reasons.map(({ subject, message }) => `${subject}: ${message}`).join('\n');
    for (const part of [
      'VOLUME_MOVER_LOG_LEVEL: ',
      'VOLUME_MOVER_ESTATE: is missing',
      'VOLUME_MOVER_TOKEN_FILE: ',
      'TEMPORAL_ADDRESS: "https://temporal.example.com" is no address: write host:port',
      'TEMPORAL_TLS: "on" is neither yes nor no: write true or false',
      'TEMPORAL_PROFILE: there is no profile "clowd"',
      'has only "cloud"',
      "TEMPORAL_TLS_CLIENT_CERT_PATH: the file can't be read",
      'TEMPORAL_TLS_CLIENT_CERT_PATH: certificate and key go together: set TEMPORAL_TLS_CLIENT_KEY_PATH too',
      'TEMPORAL_TLS_SERVER_CA_CERT_DATA: it has no certificate in PEM',
    ])
      expect(told).toContain(part);
  });

  test.each([
    ['a file that is no TOML', '[profile', {}, 'is not accepted'],
    ['an address that is none', '[profile.default]\naddress = 7233\n', {}, 'profile "default", address: "7233"'],
    [
      'a path and the data',
      '',
      { TEMPORAL_TLS_SERVER_CA_CERT_PATH: 'a', TEMPORAL_TLS_SERVER_CA_CERT_DATA: 'b' },
      'not both',
    ],
    ['no check of the server', '', { TEMPORAL_TLS_DISABLE_HOST_VERIFICATION: 'true' }, 'always verifies'],
    [
      'a key in clear',
      '',
      { TEMPORAL_ADDRESS: 'far:1', TEMPORAL_API_KEY: 'k', TEMPORAL_TLS: 'false' },
      'could read it',
    ],
  ])('%s', (_what, toml, environment, says) => {
    const given = { TEMPORAL_CONFIG_FILE: placed('temporal.toml', toml), ...environment };
    expect(refusalOf(() => readTemporalSettings(given)).message).toContain(says);
  });

  test('a profile with misspelt names and values of a wrong type is refused, each by its place', () => {
    const toml = [
      '[profile.default]',
      'adress = "h:1"',
      'namespace = 5',
      '[profile.default.tls]',
      'disabled = "yes"',
      'servername = "h"',
      'disable_host_verification = true',
      '[profile.default.grpc_meta]',
      'tenant = 7',
      // Nobody looks into a profile that is not used.
      '[profile.other]',
      'adress = "h:1"',
    ].join('\n');
    const { reasons } = refusalOf(() => readTemporalSettings({ TEMPORAL_CONFIG_FILE: placed('temporal.toml', toml) }));
    const file = `TEMPORAL_CONFIG_FILE (${join(folder, 'temporal.toml')}), profile "default", `;
    expect(reasons.map(({ subject, message }) => `${subject.replace(file, '')}: ${message}`).sort()).toEqual([
      'adress: there is no such setting; there are address, namespace, api_key, tls, codec, grpc_meta',
      'grpc_meta.tenant: "7" is no text: write it in quotes',
      'namespace: "5" is no text: write it in quotes',
      'tls.disable_host_verification: the SDK always verifies the server: take it out, and name the authority by server_ca_cert_path',
      'tls.disabled: "yes" is neither true nor false; both are written without quotes',
      'tls.servername: there is no such setting; there are disabled, client_cert_path, client_cert_data, client_key_path, client_key_data, server_ca_cert_path, server_ca_cert_data, server_name, disable_host_verification',
    ]);
  });

  test.each([
    [
      'profiles under a misspelt name',
      '[profiles.default]\naddress = "h:1"\n',
      'profiles: there is no such setting; there are profile',
    ],
    [
      'a profile that is no table',
      '[profile]\ndefault = "h:1"\n',
      'profile.default: "h:1" stands where a table is expected',
    ],
  ])('%s are refused', (_what, toml, says) => {
    const given = { TEMPORAL_CONFIG_FILE: placed('temporal.toml', toml) };
    expect(refusalOf(() => readTemporalSettings(given)).message).toContain(says);
  });

  test('a default profile of another server than the estate’s is not looked into', () => {
    const toml = '[profile.default]\naddress = "other:1"\nnamspace = "n"\n';
    const estate = { temporal: { host: 'h', port: 1, uiPort: 2 } };
    const { connection } = readTemporalSettings({ TEMPORAL_CONFIG_FILE: placed('temporal.toml', toml) }, estate);
    expect(connection.address).toBe('h:1');
  });

  test('a key of a profile is named by its profile', () => {
    const toml = '[profile.far]\naddress = "far:1"\napi_key = "k"\ntls.disabled = true\n';
    const given = { TEMPORAL_CONFIG_FILE: placed('temporal.toml', toml), TEMPORAL_PROFILE: 'far' };
    const { message } = refusalOf(() => readTemporalSettings(given));
    expect(message).toContain('profile "far", api_key: others could read it');
    expect(message).not.toContain('TEMPORAL_API_KEY');
  });

  test('a file without profiles is no mistake', () => {
    const { source, connection } = readTemporalSettings({ TEMPORAL_CONFIG_FILE: placed('temporal.toml', '') });
    expect({ source, connection }).toEqual({ source: 'default', connection: { address: '127.0.0.1:7233' } });
  });
});

describe('a server that checks who calls', () => {
  async function withServer(options: StandInOptions, use: (server: TemporalStandIn, port: number) => Promise<void>) {
    const server = new TemporalStandIn(options);
    try {
      await use(server, await server.start());
    } finally {
      server.stop();
    }
  }
  const pem = (path: string): string => readFileSync(path, 'utf8');
  const workerConnects = async (environment: NodeJS.ProcessEnv): Promise<NativeConnection> =>
    connectToTemporal(readTemporalSettings(environment), { warn: () => {} }, new AbortController().signal);

  test('lets worker and client in by certificate and API key', async () => {
    const authority = new Authority(folder);
    const of = authority.issue('server');
    const mine = authority.issue('mover');
    const tls = { cert: pem(of.cert), key: pem(of.key), ca: pem(authority.path) };
    await withServer({ apiKey: 'right', tls }, async (server, port) => {
      const environment = {
        TEMPORAL_CONFIG_FILE: '/dev/null',
        TEMPORAL_ADDRESS: `127.0.0.1:${port}`,
        TEMPORAL_API_KEY: 'right',
        TEMPORAL_TLS_SERVER_CA_CERT_PATH: authority.path,
        TEMPORAL_TLS_SERVER_NAME: 'localhost',
        TEMPORAL_TLS_CLIENT_CERT_PATH: mine.cert,
        TEMPORAL_TLS_CLIENT_KEY_PATH: mine.key,
      };
      await (await connectTemporal({}, environment)).close();
      await (await workerConnects(environment)).close();
      expect(new Set(server.calls.map((call) => JSON.stringify(call)))).toEqual(
        new Set([JSON.stringify({ authorization: 'Bearer right', certificate: 'mover' })]),
      );

      const others = { ...environment, TEMPORAL_TLS_CLIENT_KEY_PATH: of.key };
      expect(refusalOf(() => readTemporalSettings(others)).message).toContain('not that of the certificate');
      const wrong = { ...environment, TEMPORAL_API_KEY: 'wrong' };
      await expect(connectTemporal({}, wrong)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
      await expect(workerConnects(wrong)).rejects.toThrow('check TEMPORAL_API_KEY');
      const ofProfile = {
        ...environment,
        TEMPORAL_API_KEY: '',
        TEMPORAL_CONFIG_FILE: placed('temporal.toml', '[profile.default]\napi_key = "wrong"\n'),
      };
      await expect(connectTemporal({}, ofProfile)).rejects.toThrow('profile "default", api_key, the certificate');
      await expect(workerConnects(ofProfile)).rejects.toThrow('profile "default", api_key, the certificate');
      // The system's authorities do not know this one.
      const { TEMPORAL_TLS_SERVER_CA_CERT_PATH: _, ...unknown } = environment;
      await expect(workerConnects(unknown)).rejects.toThrow('name its authority by TEMPORAL_TLS_SERVER_CA_CERT_PATH');
      const { TEMPORAL_TLS_CLIENT_CERT_PATH: _c, TEMPORAL_TLS_CLIENT_KEY_PATH: _k, ...nobody } = environment;
      await expect(workerConnects(nobody)).rejects.toThrow("does not accept this worker's certificate");
    });
  });

  test('is told at once when it speaks no TLS, which an API key wants', async () => {
    await withServer({}, async (_, port) => {
      const environment = { TEMPORAL_ADDRESS: `127.0.0.1:${port}`, TEMPORAL_API_KEY: 'k' };
      await expect(workerConnects(environment)).rejects.toThrow('the server speaks no TLS');
    });
  });
});
