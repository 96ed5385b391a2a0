// What a process holds in memory, garbage left out: what a test of growth measures.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes of objects and buffers that are still held once all garbage is collected. */
export async function heldBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  // Buffers that finalizers free go with the second collection.
  for (let time = 0; time < 2; time += 1) {
    runInNewContext('gc()');
    await nextTurn();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
