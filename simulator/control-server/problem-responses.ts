// How failure is documented: for each HTTP status, the registry's codes that answer with it.
import { type ErrorCode, errorCodeSchema, ERRORS } from '../../contracts/errors.js';
import type { Operation } from '../../contracts/route.js';

/** Codes of the orchestrator's own; no control API answers with them. */
const ORCHESTRATOR_CODES: readonly ErrorCode[] = [
  'UNKNOWN_WORKFLOW',
  'MOVE_NOT_FOUND',
  'MOVE_REFUSED',
  'ALREADY_THERE',
  'LAG_TOO_LARGE',
];
/** What any server may answer, whatever is asked of it; all that health can. */
const BARE_CODES: readonly ErrorCode[] = ['INVALID_REQUEST', 'INTERNAL', 'SHUTTING_DOWN'];
const BODY_CODES: readonly ErrorCode[] = ['TOO_LARGE'];

const CONTROL_CODES = errorCodeSchema.options.filter((code) => !ORCHESTRATOR_CODES.includes(code));

interface ProblemResponse {
  readonly description: string;
  readonly content: { readonly 'application/problem+json': { readonly schema: { readonly $ref: string } } };
}

/** `components.responses` of a document: `Problem404` and its like. */
export function problemResponses(): Record<string, ProblemResponse> {
  return Object.fromEntries(
    statusesOf(CONTROL_CODES).map((status) => {
      const codes = CONTROL_CODES.filter((code) => ERRORS[code].status === status);
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

/** References to them, by status, for an operation; `bare` for one that needs no token and looks nothing up. */
export function problemReferences(
  method: Operation['method'],
  bare: boolean,
): Record<string, { readonly $ref: string }> {
  const codes = bare ? BARE_CODES : CONTROL_CODES.filter((code) => method === 'POST' || !BODY_CODES.includes(code));
  return Object.fromEntries(
    statusesOf(codes).map((status) => [status, { $ref: `#/components/responses/Problem${status}` }]),
  );
}

function statusesOf(codes: readonly ErrorCode[]): number[] {
  return [...new Set(codes.map((code) => ERRORS[code].status))].sort((a, b) => a - b);
}
