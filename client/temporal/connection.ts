// The client's connection to Temporal: the server in the user's own configuration, else the estate
// file's.
import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { MoverError } from '../../contracts/errors.js';
import type { Estate } from '../../contracts/estate.js';
import { causeOf } from '../../control/cause.js';
import { uiUrlOf } from './ui-url.js';

/** Longest wait for a connection, ms. A server on the same continent answers in a tenth of it. */
const CONNECT_TIMEOUT_MS = 5_000;
/** The default namespace. */
const NAMESPACE_DEFAULT = 'default';

/** A Temporal client, with the address of the Web UI. */
export interface TemporalAccess {
  readonly client: Client;
  /** Base URL of the Web UI; undefined when unknown. */
  readonly uiUrl: string | undefined;
  /** Safe to call more than once. */
  readonly close: () => Promise<void>;
}

/** A run's page in the Web UI; undefined when the UI's address is unknown. */
export function workflowUrl(
  { client, uiUrl }: Pick<TemporalAccess, 'client' | 'uiUrl'>,
  workflowId: string,
  runId: string,
): string | undefined {
  const { namespace } = client.options;
  const path = ['namespaces', namespace, 'workflows', workflowId, runId].map(encodeURIComponent).join('/');
  return uiUrl === undefined ? undefined : `${uiUrl}/${path}`;
}

/**
 * Connects to the server named by `TEMPORAL_ADDRESS` or `TEMPORAL_PROFILE` (the other `TEMPORAL_*`
 * variables set TLS, API key and namespace; Temporal Cloud works too), else to the estate's own, in
 * the namespace of `TEMPORAL_NAMESPACE`. `VOLUME_MOVER_TEMPORAL_UI_URL` has the address of the UI.
 * @throws MoverError UNREACHABLE; INVALID_REQUEST for a profile or an address that can't be used
 */
export async function connectTemporal(
  estate: Pick<Estate, 'temporal'>,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<TemporalAccess> {
  const { connection: options, namespace, uiUrl } = configured(environment) ?? ofEstate(estate, environment);
  const connection = await connect(options);
  return { client: new Client({ connection, namespace }), uiUrl, close: () => connection.close() };
}

interface Configuration {
  readonly connection: ConnectionOptions;
  readonly namespace: string;
  readonly uiUrl: string | undefined;
}

function configured(environment: NodeJS.ProcessEnv): Configuration | undefined {
  if (!environment['TEMPORAL_ADDRESS'] && !environment['TEMPORAL_PROFILE']) return undefined;
  const set = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const { connectionOptions, namespace } = loaded(Object.fromEntries(set));
  const { address, tls, apiKey, metadata } = connectionOptions;
  return {
    connection: {
      ...(address === undefined ? {} : { address }),
      ...(tls === undefined ? {} : { tls }),
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(metadata === undefined ? {} : { metadata }),
    },
    namespace: namespace ?? NAMESPACE_DEFAULT,
    uiUrl: uiUrlOf(environment, address),
  };
}

function loaded(variables: Record<string, string>): ReturnType<typeof loadClientConnectConfig> {
  try {
    return loadClientConnectConfig({ overrideEnvVars: variables });
  } catch (cause) {
    const what = `The TEMPORAL_ variables or temporal.toml are not accepted: ${causeOf(cause)}`;
    throw new MoverError('INVALID_REQUEST', what, { cause });
  }
}

function ofEstate(
  { temporal: { host, port, uiPort } }: Pick<Estate, 'temporal'>,
  environment: NodeJS.ProcessEnv,
): Configuration {
  const address = `${host}:${port}`;
  return {
    connection: { address },
    namespace: environment['TEMPORAL_NAMESPACE'] || NAMESPACE_DEFAULT,
    uiUrl: uiUrlOf(environment, address, `http://${host}:${uiPort}`),
  };
}

async function connect(options: ConnectionOptions): Promise<Connection> {
  try {
    return await Connection.connect({ ...options, connectTimeout: CONNECT_TIMEOUT_MS });
  } catch (cause) {
    const where = options.address ?? 'its default address';
    throw new MoverError('UNREACHABLE', `Temporal cannot be reached at ${where}: ${causeOf(cause)}.`, { cause });
  }
}
