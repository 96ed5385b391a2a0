// Opens a Temporal server for any caller: the existing one that the user names, otherwise a dev
// server of our own.
import { locateTemporal } from './locate.js';
import { DEV_NAMESPACE, startTemporal } from './server.js';

import type { ConnectionOptions } from '@temporalio/client';
import type { StartTemporalOptions } from './server.js';

export type OpenTemporalOptions = Omit<StartTemporalOptions, 'executable'> & {
  /** Defaults to this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
};

/** A usable server, whoever runs it. */
export interface OpenTemporal {
  /** `host:port` of the gRPC service. */
  readonly address: string;
  readonly namespace: string;
  /** Options of `Connection.connect` and `NativeConnection.connect`: address, TLS, key, headers. */
  readonly connection: ConnectionOptions;
  /** Undefined for an existing server, which doesn't tell where its Web UI is. */
  readonly uiUrl: string | undefined;
  /** Stops the server if it was started here; leaves an existing one alone. Safe to call again. */
  readonly stop: () => Promise<void>;
}

/**
 * Locates a server and starts it unless it is an existing one, for which the other options have no
 * effect.
 *
 * @throws Error as `locateTemporal` and `startTemporal` do
 */
export async function openTemporal({ env = process.env, ...options }: OpenTemporalOptions): Promise<OpenTemporal> {
  const located = await locateTemporal({ log: options.log, env });
  if (located.kind === 'existing') {
    return { ...located.server, uiUrl: undefined, stop: async () => {} };
  }
  const { address, uiUrl, stop } = await startTemporal({ ...options, executable: located.path });
  return { address, namespace: DEV_NAMESPACE, connection: { address }, uiUrl, stop };
}
