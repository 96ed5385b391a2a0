// Flow control of one attachment by credit: how much its sender may send, so that a volume that is
// stalled holds up only itself. Pure. Both ends count costs from `attached` on; what was granted
// only grows.
import type { RecordFrame } from './frame.js';

/**
 * Cost of a record beside its data, in bytes: bookkeeping at both ends, so that a flood of tiny
 * records is bounded too. At least the header that a record has in DO: then what was granted bounds
 * what DO can grow by.
 */
export const RECORD_COST_BYTES = 256;
/** What a record costs of its attachment's credit, in bytes. */
export function costOf(frame: RecordFrame): number {
  switch (frame.type) {
    case 'write':
      return RECORD_COST_BYTES + frame.data.length;
    case 'initBegin':
      return RECORD_COST_BYTES + Buffer.byteLength(frame.reason);
    case 'zeroes':
    case 'initEnd':
      return RECORD_COST_BYTES;
  }
}

/**
 * The sender's account. It may send while it has spent less than was granted, whatever the next
 * record costs: the last one may exceed the grant, so that the largest write passes any window.
 */
export class CreditAccount {
  #grantedBytes = 0;
  #spentBytes = 0;

  get isOpen(): boolean {
    return this.#spentBytes < this.#grantedBytes;
  }

  spend(costBytes: number): void {
    this.#spentBytes += costBytes;
  }

  /**
   * @param bytes in all, since the attachment began; a smaller number than before takes nothing
   * back.
   */
  grant(bytes: number): void {
    this.#grantedBytes = Math.max(this.#grantedBytes, bytes);
  }
}
