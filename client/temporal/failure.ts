// Translates errors of Temporal's client into the registry's errors.
import {
  ApplicationFailure,
  CancelledFailure,
  isGrpcCancelledError,
  isGrpcDeadlineError,
  isGrpcServiceError,
  ScheduleNotFoundError,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { z } from 'zod';
import { errorCodeSchema, MoverError, problemSchema } from '../../contracts/errors.js';
import { causeOf } from '../../control/cause.js';

/** How a move that did not succeed ended. */
export interface MoveFailure {
  readonly outcome: 'failed' | 'cancelled' | 'terminated';
  readonly error: MoverError;
}

/** The first detail of a failed move's failure; the progress beside it is read elsewhere. */
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
    const message =
      'The move was terminated in Temporal. Its attempt is aborted when its lease runs out, unless it was committed. No write is lost.';
    return { outcome: 'terminated', error: new MoverError('ATTEMPT_ABORTED', message) };
  }
  const what = error.cause instanceof TimeoutFailure ? 'The move ran out of time' : 'The move failed';
  return { outcome: 'failed', error: new MoverError('INTERNAL', `${what}: ${causeOf(error)}.`, { cause: error }) };
}

const NOT_FOUND = {
  move: 'MOVE_NOT_FOUND',
  batch: 'BATCH_NOT_FOUND',
  verification: 'VERIFICATION_NOT_FOUND',
} as const;

/** What people call one of our workflows. */
export type WorkflowNoun = keyof typeof NOT_FOUND;

export function notFound(what: WorkflowNoun, message: string, cause?: unknown): MoverError {
  return new MoverError(NOT_FOUND[what], message, { cause });
}

/**
 * @returns the noun's "not found" or UNREACHABLE for Temporal's errors, and a MoverError unchanged.
 * Any other error is rethrown.
 */
export function fromTemporal(error: unknown, workflowId: string, what: WorkflowNoun): MoverError {
  if (error instanceof MoverError) return error;
  if (error instanceof WorkflowNotFoundError) return notFound(what, `Temporal has no ${what} "${workflowId}".`, error);
  const service = serviceErrorOf(error);
  if (service === undefined) throw error;
  return service.code === INVALID_ARGUMENT
    ? new MoverError('INVALID_REQUEST', `Temporal does not accept the request: ${service.details}.`, { cause: error })
    : notCarriedOut(error, service);
}

/**
 * @returns SCHEDULE_NOT_FOUND, INVALID_REQUEST (in the server's words) or UNREACHABLE for
 * Temporal's errors, and a MoverError unchanged. Any other error is rethrown.
 */
export function fromSchedule(error: unknown, schedule: string): MoverError {
  if (error instanceof MoverError) return error;
  if (error instanceof ScheduleNotFoundError)
    return new MoverError('SCHEDULE_NOT_FOUND', `Temporal has no schedule "${schedule}".`, { cause: error });
  // Temporal's client throws this for a refused spec.
  if (error instanceof TypeError) return refusedByTemporal(error, error.message);
  const service = serviceErrorOf(error);
  if (service === undefined) throw error;
  if (service.code === INVALID_ARGUMENT) return refusedByTemporal(error, service.details);
  return notCarriedOut(error, service);
}

/**
 * Whether a call got no answer in time. At a deadline the server cancels the stream too, so either
 * of two errors may arrive first.
 */
export function isUnanswered(error: unknown): boolean {
  return isGrpcDeadlineError(error) || isGrpcCancelledError(error);
}

/** @returns why no connection was made: UNREACHABLE, or the server's refusal of this client */
export function fromConnecting(cause: unknown, address: string, keySetting?: string): MoverError {
  const service = serviceErrorOf(cause);
  if (service !== undefined && isRefusal(service)) return notCarriedOut(cause, service, keySetting);
  return new MoverError('UNREACHABLE', `Temporal cannot be reached at ${address}: ${causeOf(cause)}.`, { cause });
}

// Codes of gRPC.
const INVALID_ARGUMENT = 3;
const PERMISSION_DENIED = 7;
const UNAUTHENTICATED = 16;

interface ServiceFailure {
  readonly code: number;
  readonly details: string;
}

/** What the server or the connection to it answered; undefined when the error is none of theirs. */
function serviceErrorOf(error: unknown): ServiceFailure | undefined {
  const service = isGrpcServiceError(error) ? error : error instanceof Error ? error.cause : undefined;
  return isGrpcServiceError(service) ? service : undefined;
}

function isRefusal({ code }: ServiceFailure): boolean {
  return code === PERMISSION_DENIED || code === UNAUTHENTICATED;
}

/** The error of a request that Temporal refuses to this caller, or did not get to carry out. */
function notCarriedOut(
  cause: unknown,
  { code, details }: ServiceFailure,
  keySetting = 'the API key (TEMPORAL_API_KEY, or that of the profile)',
): MoverError {
  const refused = code === PERMISSION_DENIED ? 'FORBIDDEN' : code === UNAUTHENTICATED ? 'UNAUTHORIZED' : undefined;
  return refused === undefined
    ? new MoverError('UNREACHABLE', `Temporal did not carry out the request: ${causeOf(cause)}.`, { cause })
    : new MoverError(
        refused,
        `Temporal refuses this client: ${details}. Check ${keySetting}, the certificate and TEMPORAL_NAMESPACE.`,
        { cause },
      );
}

function refusedByTemporal(cause: unknown, message: string): MoverError {
  return new MoverError('INVALID_REQUEST', `Temporal does not accept the schedule: ${message}.`, {
    cause,
    reasons: [{ code: 'INVALID_REQUEST', subject: 'schedule', message }],
  });
}

/** The application failure inside; activity failures wrap the step's own. */
export function findApplicationFailure(error: unknown): ApplicationFailure | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ApplicationFailure) return cause;
  }
  return undefined;
}

/** The MoverError with the failure's code and reasons. */
export function fromApplicationFailure(failure: ApplicationFailure): MoverError {
  const code = errorCodeSchema.safeParse(failure.type);
  const detail = detailSchema.safeParse(failure.details?.[0]);
  return new MoverError(code.success ? code.data : 'INTERNAL', failure.message, {
    reasons: detail.success ? (detail.data.problem.reasons ?? []) : [],
    cause: failure,
  });
}
