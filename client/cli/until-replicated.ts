// Follows a volume until its replica is complete, for commands with --wait.
import { setTimeout as delay } from 'node:timers/promises';
import { MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import type { SplitterVolume } from '../../contracts/splitter-api.js';
import type { MoverClient } from '../sdk.js';
import { bytes } from '../text/format.js';
import type { Output } from './output.js';

/** Pause between checks, ms. */
const POLL_INTERVAL_MS = 200;

/**
 * Waits until everything is replicated. @throws MoverError FOREIGN_SOURCE, SOURCE_MISSING when the
 * disk may not be used after all, UNREACHABLE; the signal's reason
 */
export async function untilReplicated(
  client: MoverClient,
  volume: VolumeId,
  { output, signal }: { readonly output: Output; readonly signal: AbortSignal },
): Promise<SplitterVolume> {
  try {
    for (;;) {
      const view = await client.volumes.splitterView(volume);
      const { state } = view.source;
      if (state === 'missing' || state === 'foreign')
        throw new MoverError(state === 'foreign' ? 'FOREIGN_SOURCE' : 'SOURCE_MISSING', view.notes.join(' '));
      if (state === 'present' && view.mode === 'SYNCED' && view.unconfirmedBytes === 0) return view;
      output.status(`  … ${statusOf(view)}`);
      await delay(POLL_INTERVAL_MS, undefined, { signal });
    }
  } finally {
    output.status('');
  }
}

/** The replication state in words. @example "INITIALIZING: 12 regions to compare, 3 to send" */
export function statusOf({ mode, source, initialization, markedRegions }: SplitterVolume): string {
  const { recovery } = source;
  if (recovery !== undefined)
    return `recovering the source from ${recovery.point}: ${bytes(recovery.doneBytes)} of ${bytes(recovery.totalBytes)}`;
  if (initialization === undefined) return mode;
  const { doubtedRegions } = initialization;
  return `${mode}: ${doubtedRegions} regions to compare, ${markedRegions - doubtedRegions} more marked`;
}
