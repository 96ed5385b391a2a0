// Compares the worker's clock with this program's. The worker's clock starts and ends moves in
// windows.
import { ClockComparison } from '../../control/clock/compare-clocks.js';
import { MoverError } from '../../contracts/errors.js';
import { controlUrl, type Estate } from '../../contracts/estate.js';
import { healthOperation } from '../../contracts/health.js';
import { createApiClient } from '../../control/client.js';

/**
 * Longest wait for a worker's health, ms; the worker asks Temporal first. The plan is complete
 * without it.
 */
const HEALTH_MS_MAX = 2_000;

/** Sentences about the worker's clock; none when the worker can't be asked. */
export async function workerClockWarnings({ worker }: Estate): Promise<string[]> {
  if (worker.health.port === 0) return [];
  try {
    const calls = createApiClient(
      { health: healthOperation },
      { baseUrl: controlUrl(worker.health), timeoutMs: HEALTH_MS_MAX },
    );
    const clocks = new ClockComparison();
    const asked = clocks.ask();
    const { id, clock } = await calls.health({});
    clocks.answered(`worker ${id}`, asked, clock);
    return clocks.warnings;
  } catch (error) {
    if (error instanceof MoverError) return [];
    throw error;
  }
}
