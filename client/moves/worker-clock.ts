// Whether the worker's clock goes with this program's: moves in windows are begun and ended by it.
import { ClockComparison } from '../../control/clock/compare-clocks.js';
import { MoverError } from '../../contracts/errors.js';
import { controlUrl, type Estate } from '../../contracts/estate.js';
import { healthOperation } from '../../contracts/health.js';
import { createApiClient } from '../../control/client.js';

/**
 * Longest wait for a worker's health, ms: it asks Temporal first. A plan is none the worse without
 * it.
 */
const HEALTH_MS_MAX = 2_000;

/** Sentences about the worker's clock; none when it can't be asked. */
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
