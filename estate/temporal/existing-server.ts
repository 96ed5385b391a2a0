// A Temporal server that somebody else runs, Temporal Cloud included, found by the SDK's own
// configuration.
import { readTemporalSettings } from '../../control/temporal-settings.js';

import type { ConnectionOptions } from '@temporalio/client';

/** How to reach a server that this project neither starts nor stops. */
export interface ExistingServer {
  readonly connection: ConnectionOptions;
  readonly address: string;
  readonly namespace: string;
}

/**
 * The server that `TEMPORAL_ADDRESS` or `TEMPORAL_PROFILE` names, with the namespace, TLS, API key
 * and headers that the other `TEMPORAL_*` variables and the user's `temporal.toml` give; undefined
 * when neither variable is set.
 */
export function existingServer(env: NodeJS.ProcessEnv): ExistingServer | undefined {
  if (!env['TEMPORAL_ADDRESS'] && !env['TEMPORAL_PROFILE']) return undefined;
  const { connection, namespace, source } = readTemporalSettings(env);
  if (source === 'default') {
    throw new Error(
      `The Temporal profile '${env['TEMPORAL_PROFILE']}' names no address. Add one to it in temporal.toml, or set TEMPORAL_ADDRESS.`,
    );
  }
  return { address: connection.address, namespace, connection };
}
