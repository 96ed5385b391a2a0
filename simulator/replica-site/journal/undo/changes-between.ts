// What differs between two positions: the ranges whose old bytes UNDO holds for the records between
// them. Consolidation keeps at least one record for each byte that changed between positions that
// can be opened, so none is missed.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { NO_SOURCE } from '../ranges/extent-leaf.js';
import { ExtentMap } from '../ranges/extent-map.js';
import type { Changes } from '../terms/types.js';
import type { UndoLog } from './undo-log.js';

/** Records taken in one turn of the event loop: a few milliseconds. */
const RECORDS_PER_TURN = 8192;

/**
 * Reads the headers of the records after `from`, up to `to`.
 * @throws JournalError CORRUPT; the signal's reason
 */
export async function changesOf(undo: UndoLog, from: number, to: number, signal?: AbortSignal): Promise<Changes> {
  const changes = new ExtentMap();
  for (const extract of undo.extractsAfter(from)) {
    if (extract.segment.firstPosition > to) break;
    const index = await undo.index(extract);
    const end = index.firstAfter(to);
    for (let first = index.firstAfter(from); first < end; first += RECORDS_PER_TURN) {
      signal?.throwIfAborted();
      for (let record = first; record < Math.min(end, first + RECORDS_PER_TURN); record += 1)
        changes.cover(index.offset(record), index.offset(record) + index.length(record), NO_SOURCE);
      await nextTurn();
    }
  }
  return changes;
}
