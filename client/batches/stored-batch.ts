// Reports of batches that ended, from the replica site: they are there when Temporal's history of a
// batch is gone.
import { anyAppliance, type Ports } from '../../control/ports.js';
import { orUndefined } from '../../control/site-lookup.js';
import type { BatchId, BatchReport } from '../../contracts/batch.js';

/** Undefined when there is none. @throws MoverError UNREACHABLE, CORRUPT */
export async function storedBatchReport(ports: Ports, batch: BatchId): Promise<BatchReport | undefined> {
  return await orUndefined(
    'REPORT_NOT_FOUND',
    anyAppliance(ports, ({ calls }) => calls.batchReport({ batch })),
  );
}
