// Compares the volumes that a batch's selector matches now with those that were planned.
import { BATCH_FAILURES_SHOWN_MAX, type BatchId, type ParsedBatchInput } from '../../contracts/batch.js';
import type { VolumeId } from '../../contracts/ids.js';
import { anyAppliance, type Ports } from '../../control/ports.js';
import { targetOf } from './plan-batch.js';
import { planPages } from '../../control/batch-plan.js';
import { selectVolumes } from './selection.js';

export interface CompareWork {
  readonly batch: BatchId;
  readonly input: Pick<ParsedBatchInput, 'select' | 'to' | 'map'>;
}

export interface Compared {
  readonly addedMeanwhile: VolumeId[];
  readonly removedMeanwhile: VolumeId[];
}

/**
 * The first hundred added and removed volumes, by id. A volume that is in its target was not
 * missed, and one that the plan refused was not added. None is told as added when the plan refused
 * more than it lists: it can't be told which of them are new.
 */
export async function compareSelection(ports: Ports, { batch, input }: CompareWork): Promise<Compared> {
  const { select } = input;
  if (select === undefined) return { addedMeanwhile: [], removedMeanwhile: [] };
  // Moved volumes are no longer in the groups that they were selected from.
  const { from: _from, ...anywhere } = select;
  const [now, there] = [await selectVolumes(ports, select), await selectVolumes(ports, anywhere)];
  const planned = new Set<VolumeId>();
  for await (const items of planPages(ports, batch))
    for (const { volumes } of items) for (const volume of volumes) planned.add(volume);
  const { leftOut, refused = 0 } = await anyAppliance(ports, ({ calls }) => calls.batchPlan({ batch, limit: 1 }));
  const refusedVolumes = new Set(leftOut.flatMap(({ volumes }) => volumes));
  const stillThere = new Set(there.map(({ volume }) => volume));
  const candidates = refused > leftOut.length ? [] : now;
  const added = candidates.filter((volume) => {
    const to = targetOf(input, volume);
    const isToMove = to !== undefined && to !== volume.group;
    return isToMove && !planned.has(volume.volume) && !refusedVolumes.has(volume.volume);
  });
  return {
    addedMeanwhile: added.map(({ volume }) => volume).slice(0, BATCH_FAILURES_SHOWN_MAX),
    removedMeanwhile: [...planned]
      .filter((volume) => !stillThere.has(volume))
      .toSorted()
      .slice(0, BATCH_FAILURES_SHOWN_MAX),
  };
}
