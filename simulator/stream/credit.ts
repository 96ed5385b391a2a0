// Flow control of one attachment by credit: limits what its sender may send, so that a stalled
// volume holds up only itself. Pure. Both ends count costs from `attached` on; the grant only
// grows.
import type { RecordFrame } from './frame.js';

/**
 * Cost of a record beside its data, bytes: it bounds a flood of tiny records too. At least as large
 * as a record's header in DO, so that the grant bounds DO's growth.
 */
export const RECORD_COST_BYTES = 256;
/** A record's cost in credit, bytes. */
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
 * The sender's account. It may send while it has spent less than the grant, whatever the next
 * record costs: the last record may exceed the grant, so that the largest write passes any window.
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
   * Raises the grant. @param bytes total since the attachment began; a smaller one has no effect
   */
  grant(bytes: number): void {
    this.#grantedBytes = Math.max(this.#grantedBytes, bytes);
  }
}
