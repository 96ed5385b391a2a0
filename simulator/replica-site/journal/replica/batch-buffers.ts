// Memory for a batch under way, shared by all volumes: most of them are idle.
import { BATCH_WINDOW_BYTES } from '../do/batch.js';
import { oldDataBuffer } from './changes.js';

export interface BatchBuffers {
  readonly window: Buffer;
  readonly old: Buffer;
}

/**
 * Kept for the next batch at most: without sync one is enough, with it as many as volumes waiting
 * for the disk.
 */
const SPARE_MAX = 8;
const spare: BatchBuffers[] = [];

export function takeBatchBuffers(): BatchBuffers {
  return spare.pop() ?? { window: Buffer.allocUnsafeSlow(BATCH_WINDOW_BYTES), old: oldDataBuffer() };
}

/** Nothing may point into them any more. */
export function giveBackBatchBuffers(buffers: BatchBuffers): void {
  if (spare.length < SPARE_MAX) spare.push(buffers);
}
