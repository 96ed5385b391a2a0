// One way to a Temporal server for whoever needs one: the existing one if the user names it, else a
// dev server of our own.
import { locateTemporal } from './locate.js';
import { DEV_NAMESPACE, startTemporal } from './server.js';

import type { ConnectionOptions } from '@temporalio/client';
import type { StartTemporalOptions } from './server.js';

export type OpenTemporalOptions = Omit<StartTemporalOptions, 'executable'> & {
  /** Default: this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
};

/** A server to use, whoever runs it. */
export interface OpenTemporal {
  /** `host:port` of the gRPC service. */
  readonly address: string;
  readonly namespace: string;
  /**
   * For `Connection.connect` and `NativeConnection.connect`: the address with TLS, API key and
   * headers.
   */
  readonly connection: ConnectionOptions;
  /** Undefined for an existing server, which doesn't say where its Web UI is. */
  readonly uiUrl: string | undefined;
  /**
   * Stops the server if it was started here, and leaves an existing one alone. Safe to call more
   * than once.
   */
  readonly stop: () => Promise<void>;
}

/**
 * Locates a server and starts it unless it runs already; the other options only count where it is
 * started.
 *
 * @throws Error as `locateTemporal` and `startTemporal` do.
 */
export async function openTemporal({ env = process.env, ...options }: OpenTemporalOptions): Promise<OpenTemporal> {
  const located = await locateTemporal({ log: options.log, env });
  if (located.kind === 'existing') {
    return { ...located.server, uiUrl: undefined, stop: async () => {} };
  }
  const { address, uiUrl, stop } = await startTemporal({ ...options, executable: located.path });
  return { address, namespace: DEV_NAMESPACE, connection: { address }, uiUrl, stop };
}
