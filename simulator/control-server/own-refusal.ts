// A process that calls another on behalf of its own caller, and is refused itself.
import { MoverError } from '../../contracts/errors.js';

/**
 * The error to answer instead when `cause` is a refusal of this process. Its own caller is known
 * and permitted, and must not believe that it was refused itself.
 * @param advice what an administrator does about it, as a sentence
 * @returns UNREACHABLE; undefined for any other error
 */
export function ownRefusal(cause: unknown, advice: string): MoverError | undefined {
  if (!(cause instanceof MoverError) || (cause.code !== 'UNAUTHORIZED' && cause.code !== 'FORBIDDEN')) return undefined;
  return new MoverError(
    'UNREACHABLE',
    `This process was refused when it called another one: ${cause.message} ${advice}`,
    { cause },
  );
}
