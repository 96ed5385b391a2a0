// Builds the report that the replica site keeps of a move from how the move ended.
import { ApplicationFailure } from '@temporalio/common';
import { VOLUMES_PER_MOVE_MAX } from '../../contracts/attempt.js';
import { MoverError, problemSchema, toProblem, type Problem } from '../../contracts/errors.js';
import { groupIdSchema, volumeIdSchema, type MoveId } from '../../contracts/ids.js';
import type { MoveProgress, MoveReport, ParsedMoveInput } from '../../contracts/move.js';
import type { StoredMoveReport } from '../../contracts/report.js';
import { volumesOf } from '../saga/recorder.js';
import { codeOf, messageOf } from '../shared/step-failure.js';

/** What the move was asked for and when it began. */
export interface MoveStart {
  readonly move: MoveId;
  readonly startedAtMs: number;
}

/**
 * How a move ended. `moved` is set once it is committed and joined, even if its verification failed
 * afterwards.
 */
export type EndedMove =
  | { readonly outcome: 'moved'; readonly moved: MoveReport }
  | { readonly outcome: 'cancelled'; readonly progress: MoveProgress }
  | {
      readonly outcome: 'failed';
      readonly error: unknown;
      readonly progress: MoveProgress;
      readonly moved: MoveReport | undefined;
    };

export function storedReportOf(
  { move, startedAtMs }: MoveStart,
  input: ParsedMoveInput,
  end: EndedMove,
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

function resultOf(end: EndedMove): Pick<StoredMoveReport, 'report' | 'progress' | 'problem'> {
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
 * The report of a refused input, from what can be read of it; undefined when it names no volume or
 * no group.
 */
export function refusedReportOf(
  { move, startedAtMs }: MoveStart,
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

/** The problem in a failure's detail; every failure that ends a move carries one. */
function problemOfEnd(error: unknown): Problem {
  const detail: unknown = error instanceof ApplicationFailure ? error.details?.[0] : undefined;
  const inside = typeof detail === 'object' && detail !== null && 'problem' in detail ? detail.problem : undefined;
  const problem = problemSchema.safeParse(inside);
  return problem.success ? problem.data : toProblem(new MoverError(codeOf(error) ?? 'INTERNAL', messageOf(error)));
}
