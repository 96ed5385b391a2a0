// The part of a failure that is kept until the last try and then shown.
import type { CarriedBatch, MoveEnd } from '../../../contracts/batch-run.js';

export type LastFailure = CarriedBatch['retries'][number]['last'];

/** Longest text kept, characters. The move's stored report has the full text. */
const TEXT_MAX = 300;

export function lastFailureOf({ code, message }: Extract<MoveEnd, { kind: 'failed' }>): LastFailure {
  return { ...(code === undefined ? {} : { code }), message: message.slice(0, TEXT_MAX) };
}
