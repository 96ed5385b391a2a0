// After a start: opens the journals that have records, one by one in the background, so that
// distribution goes on where it stopped.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { VolumeId } from '../../contracts/ids.js';
import type { Journals } from './journals.js';

/** Never rejects: a journal that can't be opened is named as unusable. */
export async function warmUp(journals: Journals, volumes: Iterable<VolumeId>, signal: AbortSignal): Promise<void> {
  for (const volume of volumes) {
    if (signal.aborted) return;
    if (!journals.hasRecords(volume)) continue;
    await journals.lookAt([volume]);
    await nextTurn();
  }
}
