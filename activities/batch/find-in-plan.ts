// Finds a volume's move in the stored plan of a batch.
import type { BatchId, BatchItem } from '../../contracts/batch.js';
import { MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import { planPages } from '../../control/batch-plan.js';
import type { Ports } from '../../control/ports.js';
import type { ActivityRun } from '../run.js';

/** The planned move of a volume. @throws MoverError VOLUME_NOT_FOUND when the plan has none */
export async function findInPlan(
  ports: Ports,
  { batch, volume }: { readonly batch: BatchId; readonly volume: VolumeId },
  run: ActivityRun<{ readonly looked: number }>,
): Promise<BatchItem> {
  let looked = 0;
  for await (const items of planPages(ports, batch)) {
    const item = items.find(({ volumes }) => volumes.includes(volume));
    if (item !== undefined) return item;
    looked += items.length;
    run.heartbeat({ looked });
  }
  throw new MoverError('VOLUME_NOT_FOUND', `The batch has no move of volume "${volume}".`);
}
