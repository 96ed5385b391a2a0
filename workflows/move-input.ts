// What a move is started with comes from people's hands: it is checked before anything else, and a refusal says what is accepted.
import { ApplicationFailure } from '@temporalio/common';
import { MoverError, reasonsOf, toProblem, type Reason } from '../contracts/errors.js';
import { moveInputSchema, type MoveInput, type ParsedMoveInput } from '../contracts/move.js';

const EXAMPLE: MoveInput = { volume: 'vm-17-disk-0', to: 'cg-silver' };

/**
 * The input of a workflow's only argument, with defaults filled in.
 * @throws ApplicationFailure INVALID_REQUEST (non-retryable): a ZodError would fail the workflow task, which is tried for ever.
 */
export function parseMoveInput(args: readonly unknown[]): ParsedMoveInput {
  const [input] = args;
  if (args.length !== 1)
    throw refusal([reason('input', args.length === 0 ? 'nothing was given' : `${args.length} arguments were given`)]);
  const result = moveInputSchema.safeParse(input);
  if (result.success) return result.data;
  throw refusal(reasonsOf(result.error));
}

const reason = (subject: string, message: string): Reason => ({ code: 'INVALID_REQUEST', subject, message });

function refusal(reasons: readonly Reason[]): ApplicationFailure {
  const listed = reasons.map(({ subject, message }) => `${subject}: ${message}`).join('; ');
  const fields = Object.keys(moveInputSchema.shape).join(', ');
  const error = new MoverError(
    'INVALID_REQUEST',
    `The input is not accepted: ${listed}. Give one JSON object, for example ${JSON.stringify(EXAMPLE)}; its fields are ${fields}.`,
    { reasons },
  );
  return ApplicationFailure.nonRetryable(error.message, error.code, { problem: toProblem(error) });
}
