// Errors on the wire: the project's one error class, its problem+json form, and the refusal of bad
// input.
import { z } from 'zod';
import { type ErrorCode, ERRORS } from './error-registry.js';

export { type ErrorCode, ERRORS };

const ERROR_CODES = Object.keys(ERRORS).filter((code): code is ErrorCode => code in ERRORS);
export const errorCodeSchema = z.enum(ERROR_CODES);

/** One reason against a request: the field or thing at fault and what is wrong with it. */
export const reasonSchema = z.strictObject({
  code: errorCodeSchema,
  /** The field or thing at fault, for example `volume`, `to` or `vm-1-disk-0`. */
  subject: z.string(),
  message: z.string(),
});
export type Reason = z.infer<typeof reasonSchema>;

/** problem+json (RFC 9457) with the registry's code. Every control API answers failures with it. */
export const problemSchema = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: errorCodeSchema,
  retryable: z.boolean(),
  action: z.string(),
  reasons: z.array(reasonSchema).optional(),
});
export type Problem = z.infer<typeof problemSchema>;

/**
 * The project's one error class. `message` is a whole sentence about this case. Title and action
 * come from the registry.
 */
export class MoverError extends Error {
  readonly code: ErrorCode;
  readonly reasons: readonly Reason[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly reasons?: readonly Reason[]; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MoverError';
    this.code = code;
    this.reasons = options.reasons ?? [];
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  get action(): string {
    return ERRORS[this.code].action;
  }
}

/** Whether a process gave no answer: it is away or shuts down, or the link to it is down. */
export function isSilence(error: unknown): boolean {
  return error instanceof MoverError && ERRORS[error.code].exit === 'unreachable';
}

export function toProblem(error: MoverError): Problem {
  const { status, title, retryable, action } = ERRORS[error.code];
  const problem: Problem = {
    type: `urn:volume-mover:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    retryable,
    action,
  };
  return error.reasons.length === 0 ? problem : { ...problem, reasons: [...error.reasons] };
}

export function fromProblem(problem: Problem): MoverError {
  return new MoverError(problem.code, problem.detail, { reasons: problem.reasons ?? [] });
}

/**
 * Makes an INVALID_REQUEST for one field. Pass `sentence` when field and message alone don't read
 * well.
 */
export function invalidField(subject: string, message: string, sentence = `${subject}: ${message}.`): MoverError {
  return new MoverError('INVALID_REQUEST', sentence, { reasons: [{ code: 'INVALID_REQUEST', subject, message }] });
}

/** The text of an issue. zod reports a missing field as undefined. */
function issueText(issue: z.core.$ZodIssue): string {
  const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  return isMissing
    ? `is missing; ${/^[aeiou]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected} is expected`
    : issue.message;
}

/**
 * Turns zod's issues into reasons. Each names the field and what is accepted. `root` names the
 * value itself when the fault is not in one of its fields.
 */
export function reasonsOf(error: z.ZodError, root = 'input'): Reason[] {
  return error.issues.flatMap((issue): Reason[] => {
    const path = issue.path.map(String).join('.');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        code: 'INVALID_REQUEST',
        subject: path === '' ? key : `${path}.${key}`,
        message: `unknown field "${key}"`,
      }));
    }
    return [{ code: 'INVALID_REQUEST', subject: path === '' ? root : path, message: issueText(issue) }];
  });
}

/**
 * Parses a value. @throws MoverError INVALID_REQUEST naming every field at fault and what is
 * accepted.
 */
export function parseOrRefuse<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const reasons = reasonsOf(result.error, what);
  const listed = reasons.map((reason) => `${reason.subject}: ${reason.message}`).join('; ');
  throw new MoverError('INVALID_REQUEST', `${what} is not accepted: ${listed}`, { reasons });
}
