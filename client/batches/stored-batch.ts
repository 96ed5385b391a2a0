// Reports of ended batches from the replica site, which outlive Temporal's history.
import { anyAppliance, type Ports } from '../../control/ports.js';
import { orUndefined } from '../../control/site-lookup.js';
import type { BatchId, BatchReport } from '../../contracts/batch.js';

/** A batch's report; undefined when there is none. @throws MoverError UNREACHABLE, CORRUPT */
export async function storedBatchReport(ports: Ports, batch: BatchId): Promise<BatchReport | undefined> {
  return await orUndefined(
    'REPORT_NOT_FOUND',
    anyAppliance(ports, ({ calls }) => calls.batchReport({ batch })),
  );
}
