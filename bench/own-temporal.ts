// A Temporal server of the benchmark's own, with a client: on a shared server the measurement would
// include its other users.
import { Client, Connection } from '@temporalio/client';
import { locateTemporal } from '../estate/temporal/locate.js';
import { DEV_NAMESPACE, startTemporal, type TemporalDevServer } from '../estate/temporal/server.js';

export interface OwnTemporal extends TemporalDevServer {
  readonly client: Client;
  /** The version, as the server reports it. */
  readonly version: string;
}

/** Starts the server. @throws Error when none is found or it doesn't start */
export async function startOwnTemporal(log: (line: string) => void): Promise<OwnTemporal> {
  const located = await locateTemporal({ log, env: { ...process.env, TEMPORAL_ADDRESS: '', TEMPORAL_PROFILE: '' } });
  if (located.kind === 'existing') throw new Error('This benchmark starts a Temporal server of its own.');
  // Its errors under load are retried, and show in the measurement.
  const server = await startTemporal({ executable: located.path, log: () => undefined });
  try {
    const connection = await Connection.connect({ address: server.address });
    const stop = async (): Promise<void> => {
      await connection.close();
      await server.stop();
    };
    const { serverVersion } = await connection.workflowService.getSystemInfo({});
    const client = new Client({ connection, namespace: DEV_NAMESPACE });
    return { ...server, client, version: serverVersion ?? 'unknown', stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}
