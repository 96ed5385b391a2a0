// A Temporal server of the benchmark's own: measuring on one that others use would measure them.
import { locateTemporal } from '../estate/temporal/locate.js';
import { startTemporal, type TemporalDevServer } from '../estate/temporal/server.js';

/** @throws Error when none is found, or it does not start */
export async function startOwnTemporal(log: (line: string) => void): Promise<TemporalDevServer> {
  const located = await locateTemporal({ log, env: { ...process.env, TEMPORAL_ADDRESS: '', TEMPORAL_PROFILE: '' } });
  if (located.kind === 'existing') throw new Error('This benchmark starts a Temporal server of its own.');
  // What it complains of under load is tried again, and shows in what is measured.
  return await startTemporal({ executable: located.path, log: () => undefined });
}
