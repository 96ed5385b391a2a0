// Finds zeroes. UNDO stores them without payload, and they are never written over a hole of the
// replica image.
import { BLOCK_BYTES } from './blocks.js';

const COMPARED_BYTES = 64 * 1024;
/** Read only. */
export const zeroBytes: Buffer = Buffer.alloc(COMPARED_BYTES);

export function isZero(bytes: Buffer, from = 0, to = bytes.length): boolean {
  for (let start = from; start < to; start += COMPARED_BYTES) {
    if (bytes[start] !== 0) return false;
    const end = Math.min(to, start + COMPARED_BYTES);
    if (bytes.compare(zeroBytes, 0, end - start, start, end) !== 0) return false;
  }
  return true;
}

/**
 * Splits bytes read at `offset` of the volume into runs of zero and other blocks. Calls `visit`
 * with each run, in order, as a range of `bytes`.
 */
export function zeroRuns(
  bytes: Buffer,
  offset: number,
  visit: (from: number, to: number, zero: boolean) => void,
): void {
  let runStart = 0;
  let runZero: boolean | undefined;
  let start = 0;
  while (start < bytes.length) {
    const end = Math.min(bytes.length, start + BLOCK_BYTES - ((offset + start) % BLOCK_BYTES));
    const zero = isZero(bytes, start, end);
    if (runZero !== undefined && zero !== runZero) {
      visit(runStart, start, runZero);
      runStart = start;
    }
    runZero = zero;
    start = end;
  }
  if (runZero !== undefined) visit(runStart, bytes.length, runZero);
}
