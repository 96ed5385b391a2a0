// What is kept of a failure until the last try, and shown after it.
import type { CarriedBatch, MoveEnd } from '../../../contracts/batch-run.js';

export type LastFailure = CarriedBatch['retries'][number]['last'];

/** Longest text kept, in characters; the stored report of the move has all of it. */
const TEXT_MAX = 300;

export function lastFailureOf({ code, message }: Extract<MoveEnd, { kind: 'failed' }>): LastFailure {
  return { ...(code === undefined ? {} : { code }), message: message.slice(0, TEXT_MAX) };
}
