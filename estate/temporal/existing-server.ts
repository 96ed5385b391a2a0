// A Temporal server that somebody else runs, Temporal Cloud included, found by the SDK's own
// configuration.
import { loadClientConnectConfig } from '@temporalio/envconfig';

import type { ConnectionOptions } from '@temporalio/client';

/** How to reach a server that this project neither starts nor stops. */
export interface ExistingServer {
  readonly connection: ConnectionOptions;
  readonly address: string;
  readonly namespace: string;
}

const DEFAULT_NAMESPACE = 'default';

/**
 * The server that `TEMPORAL_ADDRESS` or `TEMPORAL_PROFILE` names, with the namespace, TLS, API key
 * and headers that the other `TEMPORAL_*` variables and the user's `temporal.toml` give; undefined
 * when neither variable is set.
 */
export function existingServer(env: NodeJS.ProcessEnv): ExistingServer | undefined {
  if (!env['TEMPORAL_ADDRESS'] && !env['TEMPORAL_PROFILE']) return undefined;
  const { connectionOptions, namespace } = loadClientConnectConfig({ overrideEnvVars: definedOnly(env) });
  const { address, tls, apiKey, metadata } = connectionOptions;
  if (address === undefined) {
    throw new Error(
      `The Temporal profile '${env['TEMPORAL_PROFILE']}' names no address. Add one to it in temporal.toml, or set TEMPORAL_ADDRESS.`,
    );
  }
  return {
    address,
    namespace: namespace ?? DEFAULT_NAMESPACE,
    connection: {
      address,
      ...(tls === undefined ? {} : { tls }),
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(metadata === undefined ? {} : { metadata }),
    },
  };
}

function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
