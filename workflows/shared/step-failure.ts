// Reads a failed activity's code and sentence from under the layers that Temporal wraps around
// them.
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import {
  type ErrorCode,
  errorCodeSchema,
  ERRORS,
  MoverError,
  type Problem,
  problemSchema,
  toProblem,
} from '../../contracts/errors.js';

/**
 * The registry's code of a step's failure. A step that timed out counts as UNREACHABLE, since
 * nobody answered for it.
 */
export function codeOf(error: unknown): ErrorCode | undefined {
  const causes = causesOf(error);
  for (const cause of causes) {
    if (cause instanceof MoverError) return cause.code;
    const code = cause instanceof ApplicationFailure ? errorCodeSchema.safeParse(cause.type) : undefined;
    if (code?.success === true) return code.data;
  }
  return causes.some((cause) => cause instanceof TimeoutFailure) ? 'UNREACHABLE' : undefined;
}

/** The problem that the failed step attached, with its reasons. */
function problemOf(error: unknown): Problem | undefined {
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

/**
 * The failure that ends a workflow after a failed step. Its type is the registry's code; its one
 * detail is `left` plus the problem.
 * @param message about the workflow as a whole; it becomes the problem's detail
 * @param left the progress or report that the workflow leaves
 */
export function workflowFailure(
  error: unknown,
  message: string,
  left: { readonly progress: object } | { readonly report: object },
  { retryable = ERRORS[codeOf(error) ?? 'INTERNAL'].retryable }: { readonly retryable?: boolean } = {},
): ApplicationFailure {
  const code = codeOf(error) ?? 'INTERNAL';
  const problem = { ...(problemOf(error) ?? toProblem(new MoverError(code, message))), detail: message };
  return ApplicationFailure.create({
    message,
    type: code,
    nonRetryable: !retryable,
    details: [{ ...left, problem }],
    ...(error instanceof Error ? { cause: error } : {}),
  });
}

function timeoutMessage({ timeoutType }: TimeoutFailure, step: string): string {
  return timeoutType === 'HEARTBEAT'
    ? `The worker that ran ${step} stopped answering.`
    : `No worker finished ${step} in time.`;
}

/** The error and its causes, outermost first. */
function causesOf(error: unknown): Error[] {
  const causes: Error[] = [];
  for (let cause = error; cause instanceof Error; { cause } = cause) causes.push(cause);
  return causes;
}
