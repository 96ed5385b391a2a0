// What Temporal's client throws, as the registry's errors.
import {
  ApplicationFailure,
  CancelledFailure,
  isGrpcServiceError,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { z } from 'zod';
import { errorCodeSchema, MoverError, problemSchema } from '../contracts/errors.js';
import { causeOf } from '../control/cause.js';

/** How a move that did not succeed ended. */
export interface MoveFailure {
  readonly outcome: 'failed' | 'cancelled' | 'terminated';
  readonly error: MoverError;
}

/** What a failed move leaves in its failure's first detail, besides its progress. */
const detailSchema = z.object({ problem: problemSchema });

/** Why a workflow ended without a result; undefined when the error says nothing about its end. */
export function moveFailureOf(error: unknown): MoveFailure | undefined {
  if (!(error instanceof WorkflowFailedError)) return undefined;
  const application = findApplicationFailure(error.cause);
  if (error.cause instanceof CancelledFailure) {
    return {
      outcome: 'cancelled',
      error: new MoverError('ATTEMPT_ABORTED', 'The move was cancelled; everything is as before.'),
    };
  }
  if (application !== undefined) return { outcome: 'failed', error: fromApplicationFailure(application) };
  if (error.cause instanceof TerminatedFailure) {
    const message = 'The move was terminated in Temporal. What it had open is aborted when its lease runs out.';
    return { outcome: 'terminated', error: new MoverError('ATTEMPT_ABORTED', message) };
  }
  const what = error.cause instanceof TimeoutFailure ? 'The move ran out of time' : 'The move failed';
  return { outcome: 'failed', error: new MoverError('INTERNAL', `${what}: ${causeOf(error)}.`, { cause: error }) };
}

/** @returns MOVE_NOT_FOUND or UNREACHABLE where Temporal says so; anything else is thrown on as it is. */
export function fromTemporal(error: unknown, workflowId: string): MoverError {
  if (error instanceof WorkflowNotFoundError) {
    return new MoverError('MOVE_NOT_FOUND', `Temporal has no move "${workflowId}".`, { cause: error });
  }
  if (isGrpcServiceError(error) || (error instanceof Error && isGrpcServiceError(error.cause))) {
    return new MoverError('UNREACHABLE', `Temporal did not do what was asked: ${causeOf(error)}.`, { cause: error });
  }
  throw error;
}

/** Activity failures wrap the step's own. */
function findApplicationFailure(error: unknown): ApplicationFailure | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ApplicationFailure) return cause;
  }
  return undefined;
}

function fromApplicationFailure(failure: ApplicationFailure): MoverError {
  const code = errorCodeSchema.safeParse(failure.type);
  const detail = detailSchema.safeParse(failure.details?.[0]);
  return new MoverError(code.success ? code.data : 'INTERNAL', failure.message, {
    reasons: detail.success ? (detail.data.problem.reasons ?? []) : [],
    cause: failure,
  });
}
