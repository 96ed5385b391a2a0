// What the replica site keeps of a move, made of how it ended.
import { ApplicationFailure } from '@temporalio/common';
import { VOLUMES_PER_MOVE_MAX } from '../../contracts/attempt.js';
import { MoverError, problemSchema, toProblem, type Problem } from '../../contracts/errors.js';
import { groupIdSchema, volumeIdSchema, type MoveId } from '../../contracts/ids.js';
import type { MoveProgress, MoveReport, ParsedMoveInput } from '../../contracts/move.js';
import type { StoredMoveReport } from '../../contracts/report.js';
import { volumesOf } from '../saga/recorder.js';
import { codeOf, messageOf } from '../shared/step-failure.js';

/** The move's side of it: what it was asked for, and when it began. */
export interface Begun {
  readonly move: MoveId;
  readonly startedAtMs: number;
}

/**
 * How a move ended. `moved` is there as soon as it is committed and joined, also when its
 * verification failed after that.
 */
export type MoveEnd =
  | { readonly outcome: 'moved'; readonly moved: MoveReport }
  | { readonly outcome: 'cancelled'; readonly progress: MoveProgress }
  | {
      readonly outcome: 'failed';
      readonly error: unknown;
      readonly progress: MoveProgress;
      readonly moved: MoveReport | undefined;
    };

export function storedReportOf(
  { move, startedAtMs }: Begun,
  input: ParsedMoveInput,
  end: MoveEnd,
  endedAtMs: number,
): StoredMoveReport {
  const { operator, reason, batch } = input;
  const from = end.outcome === 'moved' ? end.moved.from.group : end.progress.from;
  return {
    move,
    outcome: end.outcome,
    volumes: volumesOf(input),
    ...(from === undefined ? {} : { from }),
    to: input.to,
    startedAtMs,
    endedAtMs,
    ...(operator === undefined ? {} : { operator }),
    ...(reason === undefined ? {} : { reason }),
    ...(batch === undefined ? {} : batch),
    ...resultOf(end),
  };
}

function resultOf(end: MoveEnd): Pick<StoredMoveReport, 'report' | 'progress' | 'problem'> {
  switch (end.outcome) {
    case 'moved':
      return { report: end.moved };
    case 'cancelled':
      return { progress: end.progress };
    case 'failed': {
      const problem = problemOfEnd(end.error);
      return end.moved === undefined ? { progress: end.progress, problem } : { report: end.moved, problem };
    }
  }
}

/**
 * Of an input that was refused: what can be made out of it. Undefined when it names no volume or no
 * group.
 */
export function refusedReportOf(
  { move, startedAtMs }: Begun,
  [input]: readonly unknown[],
  error: unknown,
): StoredMoveReport | undefined {
  if (typeof input !== 'object' || input === null) return undefined;
  const fields: Readonly<Record<string, unknown>> = { ...input };
  const listed: unknown = fields['volumes'];
  const named: readonly unknown[] = Array.isArray(listed) ? listed : [fields['volume']];
  const volumes = named.slice(0, VOLUMES_PER_MOVE_MAX).flatMap((name) => volumeIdSchema.safeParse(name).data ?? []);
  const to = groupIdSchema.safeParse(fields['to']).data;
  if (volumes.length === 0 || to === undefined) return undefined;
  return {
    move,
    outcome: 'failed',
    volumes,
    to,
    startedAtMs,
    endedAtMs: startedAtMs,
    problem: problemOfEnd(error),
  };
}

/** The failures that end a move carry their problem in their detail, beside other things. */
function problemOfEnd(error: unknown): Problem {
  const detail: unknown = error instanceof ApplicationFailure ? error.details?.[0] : undefined;
  const inside = typeof detail === 'object' && detail !== null && 'problem' in detail ? detail.problem : undefined;
  const problem = problemSchema.safeParse(inside);
  return problem.success ? problem.data : toProblem(new MoverError(codeOf(error) ?? 'INTERNAL', messageOf(error)));
}
