// The Temporal server of an estate: its own, planned here and started by the estate's supervisor,
// or one that somebody else runs.
import type { LaunchTemporal } from './launch.js';
import { chooseFreePort } from './ports.js';
import type { ExistingServer } from './temporal/existing-server.js';
import { KeptTemporal } from './temporal/kept-temporal.js';
import { locateTemporal } from './temporal/locate.js';
import { DEV_NAMESPACE } from './temporal/server.js';

export type EstateTemporal = { readonly access: LaunchTemporal } & (
  | { readonly kind: 'own'; readonly server: KeptTemporal }
  | { readonly kind: 'existing'; readonly server: ExistingServer }
);

export interface PlanTemporalOptions {
  /** The gRPC port. 0 takes a free port, which stays the same over all lives of the server. */
  readonly port: number;
  readonly uiPort: number;
  readonly databaseFile?: string | undefined;
  readonly logFile: string;
  /** Called with each line about the server used or built. */
  readonly print: (line: string) => void;
}

/** Plans the server. @throws Error saying what to install or set when no server can be had */
export async function planTemporal({ print, port, uiPort, ...files }: PlanTemporalOptions): Promise<EstateTemporal> {
  const located = await locateTemporal({ log: print });
  if (located.kind === 'existing') {
    const { address, namespace } = located.server;
    return { kind: 'existing', server: located.server, access: { address, namespace } };
  }
  const chosen = new Set([port, uiPort]);
  const server = new KeptTemporal({
    ...files,
    executable: located.path,
    port: port === 0 ? await chooseFreePort(chosen) : port,
    uiPort: uiPort === 0 ? await chooseFreePort(chosen) : uiPort,
  });
  const { address, uiUrl } = server;
  return { kind: 'own', server, access: { address, namespace: DEV_NAMESPACE, uiUrl } };
}
