// Reports of batches that ended, from the replica site: they are there when Temporal's history of a batch is gone.
import { anyAppliance, type Ports } from '../../activities/ports.js';
import type { BatchId, BatchReport } from '../../contracts/batch.js';
import { MoverError } from '../../contracts/errors.js';

/** Undefined when there is none. @throws MoverError UNREACHABLE, CORRUPT */
export async function storedBatchReport(ports: Ports, batch: BatchId): Promise<BatchReport | undefined> {
  try {
    return await anyAppliance(ports, ({ calls }) => calls.batchReport({ batch }));
  } catch (error) {
    if (error instanceof MoverError && error.code === 'REPORT_NOT_FOUND') return undefined;
    throw error;
  }
}
