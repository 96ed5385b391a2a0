// Translates a step's failure for Temporal: its type is the registry's code, which decides whether
// Temporal retries.
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MoverError, toProblem } from '../contracts/errors.js';

/**
 * The Temporal failure for whatever a step threw. Cancellations and Temporal failures pass
 * unchanged. An unforeseen error becomes INTERNAL and is retried.
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
