// Checks the requests of people to a running workflow, and refuses them in a sentence.
import { ApplicationFailure } from '@temporalio/common';
import { type ErrorCode, MoverError, parseOrRefuse, toProblem } from '../../contracts/errors.js';

type RequestSchema = Parameters<typeof parseOrRefuse>[0];

/** Checks the form of an update's arguments. @throws ApplicationFailure INVALID_REQUEST */
export function checkRequest(schema: RequestSchema, name: string, args: readonly unknown[]): void {
  if (args.length !== 1) throw refusal(`Give ${name} exactly one object: { operator, reason, … }.`, 'INVALID_REQUEST');
  try {
    parseOrRefuse(schema, args[0], name);
  } catch (error) {
    throw error instanceof MoverError ? refusal(error.message, 'INVALID_REQUEST') : error;
  }
}

/** A refusal that people read in the Temporal UI, without a stack that would tell them nothing. */
export function refusal(message: string, code: ErrorCode): ApplicationFailure {
  const failure = ApplicationFailure.nonRetryable(message, code, toProblem(new MoverError(code, message)));
  failure.stack = '';
  return failure;
}
