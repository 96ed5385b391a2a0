// What the failure of a move's workflow means for the batch that it is a move of.
import type { MoveEnd } from './batch-run.js';
import { errorCodeSchema, problemSchema } from './errors.js';
import { moveReportSchema } from './move.js';

/** Many ends are told at once; the stored report of the move has all of it. */
const MESSAGE_LENGTH_MAX = 1_000;

interface WithDetail {
  readonly problem?: unknown;
  readonly report?: unknown;
}

/**
 * @param type the failure's: a code of the registry, as far as a move gives it
 * @param detail its first detail: `{ progress, problem, report }`
 */
export function endOfFailure(type: unknown, message: string, detail: unknown): MoveEnd {
  const code = errorCodeSchema.safeParse(type);
  if (code.success && code.data === 'WINDOW_CLOSED') return { kind: 'window-closed' };
  const { problem, report }: WithDetail = typeof detail === 'object' && detail !== null ? detail : {};
  const reasons = problemSchema.safeParse(problem).data?.reasons ?? [];
  if (reasons.length > 0 && reasons.every((reason) => reason.code === 'ALREADY_THERE')) return { kind: 'there' };
  const stands = moveReportSchema.safeParse(report).success;
  return {
    kind: 'failed',
    ...(code.success ? { code: code.data } : {}),
    message: message.slice(0, MESSAGE_LENGTH_MAX),
    stands,
  };
}
