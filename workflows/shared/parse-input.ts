// Checks a workflow's input, which people type, before anything else. A refusal says what is
// accepted.
import { ApplicationFailure } from '@temporalio/common';
import { MoverError, reasonsOf, toProblem, type Reason } from '../../contracts/errors.js';

/** The part of a zod schema used here. */
interface InputSchema<Parsed> {
  /** The schema's fields. */
  readonly shape: object;
  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: Parsed }
    | { readonly success: false; readonly error: Parameters<typeof reasonsOf>[0] };
}

/**
 * Parses a workflow's only argument and fills in defaults.
 * @param internal fields that people don't give; a refusal does not offer them
 * @throws ApplicationFailure INVALID_REQUEST (non-retryable). A ZodError would fail the workflow
 * task, which Temporal retries for ever.
 */
export function parseInput<Parsed>(
  schema: InputSchema<Parsed>,
  example: object,
  args: readonly unknown[],
  internal: readonly string[] = [],
): Parsed {
  const fields = Object.keys(schema.shape).filter((field) => !internal.includes(field));
  const [input] = args;
  if (args.length !== 1) {
    const given = args.length === 0 ? 'nothing was given' : `${args.length} arguments were given`;
    throw refusal(fields, example, [{ code: 'INVALID_REQUEST', subject: 'input', message: given }]);
  }
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw refusal(fields, example, reasonsOf(result.error));
}

function refusal(fields: readonly string[], example: object, reasons: readonly Reason[]): ApplicationFailure {
  const listed = reasons.map(({ subject, message }) => `${subject}: ${message}`).join('; ');
  const error = new MoverError(
    'INVALID_REQUEST',
    `The input is not accepted: ${listed}. Nothing was changed. Give one JSON object, for example ${JSON.stringify(example)}. Its fields are ${fields.join(', ')}.`,
    { reasons },
  );
  return ApplicationFailure.nonRetryable(error.message, error.code, { problem: toProblem(error) });
}
