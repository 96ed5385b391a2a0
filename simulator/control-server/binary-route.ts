// A GET that answers bytes instead of JSON, under the same gate, limits and errors as the API's
// table.
import type { z } from 'zod';
import { parseOrRefuse } from '../../contracts/errors.js';
import type { Role } from '../../contracts/roles.js';
import type { CallContext } from './handlers.js';

export interface BinaryRoute {
  readonly name: string;
  readonly path: string;
  readonly summary: string;
  /** The caller needs one of these. */
  readonly roles: readonly Role[];
  readonly input: z.ZodObject;
  /** Reads the bytes. @throws MoverError INVALID_REQUEST naming every wrong field */
  readonly read: (input: unknown, context: CallContext) => Promise<Buffer>;
}

interface BinaryRouteOptions<Input extends z.ZodObject> extends Pick<
  BinaryRoute,
  'name' | 'path' | 'summary' | 'roles'
> {
  readonly input: Input;
  readonly read: (input: z.output<Input>, context: CallContext) => Promise<Buffer>;
}

export function binaryRoute<Input extends z.ZodObject>(options: BinaryRouteOptions<Input>): BinaryRoute {
  return {
    ...options,
    read: async (input, context) => options.read(parseOrRefuse(options.input, input, 'input'), context),
  };
}
