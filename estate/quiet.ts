// Waits until a volume is quiet: no write of it is in flight, so that source and replica can be
// compared.
import { setTimeout as delay } from 'node:timers/promises';
import type { ListedVolume } from '../client/volumes/inventory.js';
import type { MoverClient } from '../client/sdk.js';

const POLL_MS = 50;

export interface QuietOptions {
  readonly volume: string;
  /** Longest wait, ms. */
  readonly timeoutMs: number;
  /** Called at each poll with what is still in flight. */
  readonly print?: (line: string) => void;
}

/**
 * Waits until the volume is quiet. Its guest must have stopped.
 * @throws Error with what is still in flight when the time is over
 */
export async function waitUntilQuiet(client: MoverClient, { volume, timeoutMs, print }: QuietOptions): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const found = (await client.volumes.list()).find((candidate) => candidate.volume === volume);
    const left = found === undefined ? 'it is not listed' : restOf(found);
    if (left === '') return;
    print?.(left);
    if (performance.now() > deadlineMs)
      throw new Error(`Volume ${volume} is not quiet after ${timeoutMs} ms: ${left}.`);
    await delay(POLL_MS);
  }
}

/** What is still in flight, in words; empty when the volume is quiet. */
function restOf({ splitterView: view, unusable, undistributedBytes, openAttempt, initializing }: ListedVolume): string {
  if (view === undefined) return unusable ?? 'its splitter does not answer';
  const rest = [
    ...(view.mode === 'SYNCED' ? [] : [view.mode]),
    ...(view.fence === undefined ? [] : ['fenced']),
    ...(openAttempt === undefined ? [] : [`being moved by ${openAttempt.move}`]),
    ...(initializing ? ['initializing'] : []),
    ...(view.unconfirmedBytes === 0 ? [] : [`${view.unconfirmedBytes} bytes unconfirmed`]),
    ...(view.markedRegions === 0 ? [] : [`${view.markedRegions} regions marked`]),
    ...(undistributedBytes === 0 ? [] : [`${undistributedBytes} bytes undistributed`]),
  ];
  return rest.join(', ');
}
