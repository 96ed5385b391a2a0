// What a failed activity says: its code and its sentence, under the layers that Temporal wraps
// around them.
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import { errorCodeSchema, problemSchema, type ErrorCode, type Problem } from '../../contracts/errors.js';

/**
 * The registry's code of a step's failure. A step that timed out counts as UNREACHABLE: nobody
 * answered for it.
 */
export function codeOf(error: unknown): ErrorCode | undefined {
  const causes = causesOf(error);
  for (const cause of causes) {
    const code = cause instanceof ApplicationFailure ? errorCodeSchema.safeParse(cause.type) : undefined;
    if (code?.success === true) return code.data;
  }
  return causes.some((cause) => cause instanceof TimeoutFailure) ? 'UNREACHABLE' : undefined;
}

/** The problem that the failed step brought along, with its reasons. */
export function problemOf(error: unknown): Problem | undefined {
  for (const cause of causesOf(error)) {
    const problem = cause instanceof ApplicationFailure ? problemSchema.safeParse(cause.details?.[0]) : undefined;
    if (problem?.success === true) return problem.data;
  }
  return undefined;
}

/** One sentence about what went wrong. */
export function messageOf(error: unknown): string {
  const causes = causesOf(error);
  const application = causes.find((cause) => cause instanceof ApplicationFailure);
  if (application !== undefined) return application.message;
  const [outermost] = causes;
  const timeout = causes.find((cause) => cause instanceof TimeoutFailure);
  if (timeout !== undefined)
    return timeoutMessage(timeout, outermost instanceof ActivityFailure ? outermost.activityType : 'a step');
  return outermost === undefined ? String(error) : outermost.message;
}

function timeoutMessage({ timeoutType }: TimeoutFailure, step: string): string {
  return timeoutType === 'HEARTBEAT'
    ? `The worker that ran ${step} gave no sign of life.`
    : `No worker finished ${step} in time.`;
}

/** The error and everything that caused it, outermost first. */
function causesOf(error: unknown): Error[] {
  const causes: Error[] = [];
  for (let cause = error; cause instanceof Error; { cause } = cause) causes.push(cause);
  return causes;
}
