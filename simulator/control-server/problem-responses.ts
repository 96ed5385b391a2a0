// Documents failures: for each HTTP status, the registry's codes that a process answers with it.
import type { Raiser } from '../../contracts/error-registry.js';
import { type ErrorCode, errorCodeSchema, ERRORS } from '../../contracts/errors.js';
import type { Operation } from '../../contracts/route.js';

/** The processes that serve a control API. */
export type ServerRole = Extract<Raiser, 'splitter' | 'appliance' | 'replica-site'>;

/** Codes that any server may answer to any request; all that health can answer. */
const BARE_CODES: readonly ErrorCode[] = ['INVALID_REQUEST', 'INTERNAL', 'SHUTTING_DOWN'];
const BODY_CODES: readonly ErrorCode[] = ['TOO_LARGE'];

interface ProblemResponse {
  readonly description: string;
  readonly content: { readonly 'application/problem+json': { readonly schema: { readonly $ref: string } } };
}

/** `components.responses` of a process's document: `Problem404` and so on. */
export function problemResponses(role: ServerRole): Record<string, ProblemResponse> {
  const answered = codesOf(role);
  return Object.fromEntries(
    statusesOf(answered).map((status) => {
      const codes = answered.filter((code) => ERRORS[code].status === status);
      return [
        `Problem${status}`,
        {
          description: codes
            .map((code) => `- \`${code}\`: ${ERRORS[code].title}. ${ERRORS[code].retryable ? 'Retryable' : 'Final'}.`)
            .join('\n'),
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      ];
    }),
  );
}

/**
 * References to those responses, by status, for an operation. `bare`: the operation needs no role
 * and looks nothing up.
 */
export function problemReferences(
  role: ServerRole,
  method: Operation['method'],
  bare: boolean,
): Record<string, { readonly $ref: string }> {
  const codes = bare ? BARE_CODES : codesOf(role).filter((code) => method === 'POST' || !BODY_CODES.includes(code));
  return Object.fromEntries(
    statusesOf(codes).map((status) => [status, { $ref: `#/components/responses/Problem${status}` }]),
  );
}

/** The codes that a process answers. An appliance also passes on the replica site's. */
function codesOf(role: ServerRole): ErrorCode[] {
  const raisers = role === 'appliance' ? (['appliance', 'replica-site'] as const) : [role];
  return errorCodeSchema.options.filter((code) => raisers.some((raiser) => ERRORS[code].raisedBy.includes(raiser)));
}

function statusesOf(codes: readonly ErrorCode[]): number[] {
  return [...new Set(codes.map((code) => ERRORS[code].status))].sort((a, b) => a - b);
}
