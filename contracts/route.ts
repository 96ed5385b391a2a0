// Declares the operations of a control API once, as data. Server, client and OpenAPI document are
// made from it.
import type { z } from 'zod';
import type { Role } from './roles.js';

/**
 * One operation. GET reads and takes its input from the query string. POST changes state and takes
 * one JSON object. Every POST may be repeated.
 */
export interface Operation<Input extends z.ZodObject = z.ZodObject, Output extends z.ZodType = z.ZodType> {
  readonly method: 'GET' | 'POST';
  /** Absolute path without parameters, for example `/v1/attempts/open`. */
  readonly path: string;
  readonly summary: string;
  /** The caller needs one of these. Empty: anybody may call. */
  readonly roles: readonly Role[];
  /**
   * Set for calls that machines make all the time: the audit has only those that were refused for
   * who called.
   */
  readonly routine?: true;
  /** Set if a 503 has the output's form, too: the process answers, and can't serve. */
  readonly answersUnready?: true;
  readonly input: Input;
  readonly output: Output;
}

export type Api = Readonly<Record<string, Operation>>;

/** What a caller passes. Fields with defaults may be left out. */
export type InputOf<O extends Operation> = z.input<O['input']>;
/** What a handler receives: parsed input with defaults filled in. */
export type ParsedInputOf<O extends Operation> = z.output<O['input']>;
export type OutputOf<O extends Operation> = z.output<O['output']>;

/**
 * The operations of an API as async functions: what a client offers. A server's side is Handlers.
 */
export type Calls<A extends Api> = {
  readonly [K in keyof A]: (
    input: InputOf<A[K]>,
    options?: { readonly signal?: AbortSignal },
  ) => Promise<OutputOf<A[K]>>;
};

export function operation<Input extends z.ZodObject, Output extends z.ZodType>(
  declared: Operation<Input, Output>,
): Operation<Input, Output> {
  return declared;
}
