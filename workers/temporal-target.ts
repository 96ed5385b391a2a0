// Chooses the Temporal server of a worker: TEMPORAL_* and temporal.toml first, like every Temporal
// tool, else the estate's own.
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { MoverError } from '../contracts/errors.js';
import type { Estate } from '../contracts/estate.js';

export interface TemporalTarget {
  readonly connection: NativeConnectionOptions & { readonly address: string };
  readonly namespace: string;
}

const NAMESPACE_DEFAULT = 'default';

/**
 * The server to use. @throws MoverError INVALID_REQUEST when the named profile does not exist or
 * can't be read.
 */
export function temporalTarget(environment: Record<string, string>, estate: Pick<Estate, 'temporal'>): TemporalTarget {
  const { connectionOptions, namespace } = load(environment);
  const { host, port } = estate.temporal;
  const { address = `${host}:${port}`, tls, apiKey, metadata } = connectionOptions;
  return {
    namespace: namespace ?? NAMESPACE_DEFAULT,
    connection: {
      address,
      ...(tls === undefined ? {} : { tls }),
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(metadata === undefined ? {} : { metadata }),
    },
  };
}

function load(environment: Record<string, string>): ReturnType<typeof loadClientConnectConfig> {
  try {
    return loadClientConnectConfig({ overrideEnvVars: environment });
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new MoverError('INVALID_REQUEST', `The TEMPORAL_ variables or temporal.toml are not accepted: ${message}`, {
      cause,
    });
  }
}
