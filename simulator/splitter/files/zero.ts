// Whether data is all zeroes, which need not be stored or sent.

/** Size of one comparison, in bytes: it stays in the processor's cache. */
const STEP_BYTES = 64 * 1024;
const ZEROES = Buffer.alloc(STEP_BYTES);

export function isZero(data: Buffer): boolean {
  for (let at = 0; at < data.length; at += STEP_BYTES) {
    const length = Math.min(STEP_BYTES, data.length - at);
    if (data.compare(ZEROES, 0, length, at, at + length) !== 0) return false;
  }
  return true;
}
