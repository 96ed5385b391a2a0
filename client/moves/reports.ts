// Reports of ended moves from the replica site, which outlive Temporal's history.
import { anyAppliance, type Ports } from '../../control/ports.js';
import type { WayBack } from '../../contracts/attempt.js';
import { MoverError, parseOrRefuse } from '../../contracts/errors.js';
import { moveIdSchema } from '../../contracts/ids.js';
import type { MoveReport } from '../../contracts/move.js';
import type { StoredMoveReport } from '../../contracts/report.js';
import { encodedWorkflowId, parseMoveId } from '../../contracts/move-id.js';
import type { Move } from './move-client.js';

/**
 * Finds a report by move id, or by workflow id (its newest move).
 * @throws MoverError REPORT_NOT_FOUND, INVALID_REQUEST, UNREACHABLE
 */
export async function getReport(ports: Ports, id: string): Promise<StoredMoveReport> {
  const { workflowId, firstRunId } = parseMoveId(id);
  const run = firstRunId === undefined ? '' : `@${firstRunId}`;
  const move = parseOrRefuse(moveIdSchema, `${encodedWorkflowId(workflowId)}${run}`, 'move id');
  return await anyAppliance(ports, ({ calls }) => calls.report({ move }));
}

/**
 * The stored report of the newest move under a workflow id; undefined when there is none, or nobody
 * can be asked.
 */
export async function storedOf(ports: Ports, workflowId: string): Promise<StoredMoveReport | undefined> {
  try {
    return await getReport(ports, workflowId);
  } catch (error) {
    if (error instanceof MoverError && (error.code === 'REPORT_NOT_FOUND' || error.retryable)) return undefined;
    throw error;
  }
}

/** A move that Temporal has dropped, built from its report. */
export function moveOf(stored: StoredMoveReport): Move {
  const { workflowId, firstRunId } = parseMoveId(stored.move);
  const { move, outcome, startedAtMs, endedAtMs, progress, report, problem, wayBack } = stored;
  return {
    moveId: move,
    workflowId,
    runId: firstRunId ?? '',
    url: undefined,
    state: outcome,
    startedAtMs,
    endedAtMs,
    ...(progress === undefined ? {} : { progress }),
    ...(report === undefined ? {} : { report }),
    ...(wayBack === undefined ? {} : { wayBack }),
    ...(problem === undefined
      ? {}
      : { error: new MoverError(problem.code, problem.detail, { reasons: problem.reasons ?? [] }) }),
  };
}

/** The way back of a move as it is now; undefined without one, and while nobody can be asked. */
export async function wayBackNow(ports: Ports, report: MoveReport | undefined): Promise<WayBack | undefined> {
  if (report?.reversibleUntilMs === undefined) return undefined;
  try {
    return (await anyAppliance(ports, ({ calls }) => calls.get(report.attempt))).wayBack;
  } catch (error) {
    if (error instanceof MoverError) return undefined;
    throw error;
  }
}

/** The ends of the open ways back, by move id; empty while nobody can be asked. */
export async function reversibleMoves(ports: Ports): Promise<ReadonlyMap<string, number>> {
  const untilMs = new Map<string, number>();
  let cursor: string | undefined;
  try {
    do {
      const page = cursor === undefined ? {} : { cursor };
      const { waysBack, next } = await anyAppliance(ports, ({ calls }) => calls.waysBack(page));
      for (const wayBack of waysBack) untilMs.set(wayBack.move, wayBack.untilMs);
      cursor = next;
    } while (cursor !== undefined);
  } catch (error) {
    if (!(error instanceof MoverError)) throw error;
  }
  return untilMs;
}
