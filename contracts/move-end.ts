// Translates the failure of a move's workflow into the end that its batch records.
import type { MoveEnd } from './batch-run.js';
import { errorCodeSchema, problemSchema } from './errors.js';
import { moveReportSchema } from './move.js';

/**
 * Longest message kept, characters. One activity result lists many ends; the move's stored report
 * has the full text.
 */
const MESSAGE_LENGTH_MAX = 1_000;

interface WithDetail {
  readonly problem?: unknown;
  readonly report?: unknown;
}

/**
 * Translates a workflow failure.
 * @param type the failure's type: a code of the registry, if the move set one
 * @param detail its first detail: `{ progress, problem, report }`
 */
export function endOfFailure(type: unknown, message: string, detail: unknown): MoveEnd {
  const code = errorCodeSchema.safeParse(type);
  if (code.success && code.data === 'WINDOW_CLOSED') return { kind: 'window-closed' };
  if (code.success && code.data === 'MOVE_ABORTED') return { kind: 'cancelled' };
  const { problem, report }: WithDetail = typeof detail === 'object' && detail !== null ? detail : {};
  const reasons = problemSchema.safeParse(problem).data?.reasons ?? [];
  if (reasons.length > 0 && reasons.every((reason) => reason.code === 'ALREADY_THERE')) return { kind: 'there' };
  // A failure after the commit carries the report of the move.
  const stands = moveReportSchema.safeParse(report).success;
  return {
    kind: 'failed',
    ...(code.success ? { code: code.data } : {}),
    message: message.slice(0, MESSAGE_LENGTH_MAX),
    stands,
  };
}
