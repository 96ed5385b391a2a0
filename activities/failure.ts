// How a step's failure crosses into Temporal: the registry's code becomes the failure's type, and
// says whether Temporal tries again.
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MoverError, toProblem } from '../contracts/errors.js';

/**
 * The failure Temporal is given for whatever a step threw. A cancellation and a Temporal failure
 * pass as they are; what nobody foresaw is INTERNAL and is tried again.
 */
export function toFailure(error: unknown): Error {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error;
  if (error instanceof MoverError) return failureOf(error, error.cause);
  const message = error instanceof Error ? error.message : String(error);
  return failureOf(new MoverError('INTERNAL', `Something unforeseen went wrong: ${message}`), error);
}

function failureOf(error: MoverError, cause: unknown): ApplicationFailure {
  return ApplicationFailure.create({
    message: error.message,
    type: error.code,
    nonRetryable: !error.retryable,
    details: [toProblem(error)],
    ...(cause instanceof Error ? { cause } : {}),
  });
}
