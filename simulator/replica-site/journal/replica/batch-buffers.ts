// Buffers for a batch under way. All volumes share them, as most volumes are idle.
import { BATCH_WINDOW_BYTES } from '../do/batch.js';
import { oldDataBuffer } from './changes.js';

export interface BatchBuffers {
  readonly window: Buffer;
  readonly old: Buffer;
}

/**
 * Most buffers kept for later batches. One is enough without sync; with sync, as many as volumes
 * that wait for the disk at once.
 */
const SPARE_MAX = 8;
const spare: BatchBuffers[] = [];

export function takeBatchBuffers(): BatchBuffers {
  return spare.pop() ?? { window: Buffer.allocUnsafeSlow(BATCH_WINDOW_BYTES), old: oldDataBuffer() };
}

/** Returns buffers that nothing points into any more. */
export function giveBackBatchBuffers(buffers: BatchBuffers): void {
  if (spare.length < SPARE_MAX) spare.push(buffers);
}
