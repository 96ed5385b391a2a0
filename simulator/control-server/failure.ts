// Converts whatever goes wrong in a request to one of the registry's errors.
import { MoverError } from '../../contracts/errors.js';

const HTTP_BAD_REQUEST = 400;
const HTTP_TOO_LARGE = 413;
const HTTP_SERVER_ERROR = 500;

/**
 * The error to answer with. A refusal by the HTTP framework (bad JSON, too large a body) keeps its
 * text. Any other error that isn't a MoverError becomes INTERNAL without its text, which may hold
 * what the caller must not see.
 */
export function failureOf(error: unknown, requestId: string): MoverError {
  if (error instanceof MoverError) return error;
  const status = refusalStatusOf(error);
  if (error instanceof Error && status !== undefined) {
    return new MoverError(status === HTTP_TOO_LARGE ? 'TOO_LARGE' : 'INVALID_REQUEST', error.message, { cause: error });
  }
  return new MoverError(
    'INTERNAL',
    `The request failed in an unforeseen way; the log has the details under ${requestId}.`,
    { cause: error },
  );
}

/**
 * The status of a refusal by the framework, which is recognised by the framework's error code;
 * otherwise undefined.
 */
function refusalStatusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error) || !('code' in error)) return undefined;
  const { statusCode, code } = error;
  if (typeof statusCode !== 'number' || typeof code !== 'string' || !code.startsWith('FST_ERR_')) return undefined;
  return statusCode >= HTTP_BAD_REQUEST && statusCode < HTTP_SERVER_ERROR ? statusCode : undefined;
}
