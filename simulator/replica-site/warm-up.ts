// Opens the journals that have records after a start, one by one in the background, so that
// distribution continues.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { VolumeId } from '../../contracts/ids.js';
import type { Journals } from './journals.js';

/** Opens the volumes' journals. Never rejects: one that can't be opened is in `unusable`. */
export async function warmUp(journals: Journals, volumes: Iterable<VolumeId>, signal: AbortSignal): Promise<void> {
  for (const volume of volumes) {
    if (signal.aborted) return;
    if (!journals.hasRecords(volume)) continue;
    await journals.openAll([volume]);
    await nextTurn();
  }
}
