// The moves of a batch, each with how it ended. Plan and stored reports are in the same order and
// are merged page by page.
import { planPages } from '../../control/batch-plan.js';
import { anyAppliance, type Ports } from '../../control/ports.js';
import type { BatchId, BatchItem } from '../../contracts/batch.js';
import { ERRORS, type ErrorCode } from '../../contracts/errors.js';
import type { GroupId, MoveId, VolumeId } from '../../contracts/ids.js';
import { endOfFailure } from '../../contracts/move-end.js';
import type { StoredMoveReport } from '../../contracts/report.js';

export type BatchMoveOutcome =
  | 'moved'
  | 'failed'
  | 'cancelled'
  /** The volumes were in the target group when the move's turn came. */
  | 'already-there'
  /** The window ended before the move's fence. */
  | 'window-closed'
  /** No report is stored: the move waits, runs or was skipped. */
  | 'not-moved';

export interface BatchMoveReport {
  readonly seq: number;
  readonly volumes: readonly VolumeId[];
  readonly from: GroupId;
  readonly to: GroupId;
  readonly sizeBytes: number;
  readonly outcome: BatchMoveOutcome;
  /** Moves started for it. */
  readonly tries: number;
  /** The id of its last try. */
  readonly move?: MoveId;
  readonly startedAtMs?: number;
  readonly endedAtMs?: number;
  /** Why the last try did not succeed. */
  readonly problem?: { readonly code: ErrorCode; readonly message: string; readonly action: string };
  /**
   * True when the move is committed and only failed afterwards: the volumes are in their new
   * group.
   */
  readonly committed?: boolean;
}

/** Yields the moves in the batch's order. @throws MoverError UNREACHABLE, CORRUPT */
export async function* batchMoves(ports: Ports, batch: BatchId): AsyncGenerator<BatchMoveReport, void> {
  const tried = triesOf(storedReports(ports, batch));
  let next = await tried.next();
  for await (const items of planPages(ports, batch)) {
    for (const item of items) {
      const tries = next.done !== true && seqOf(next.value) === item.seq ? next.value : [];
      if (tries.length > 0) next = await tried.next();
      yield batchMoveOf(item, tries);
    }
  }
}

async function* storedReports(ports: Ports, batch: BatchId): AsyncGenerator<StoredMoveReport, void> {
  let cursor: string | undefined;
  do {
    const from = cursor;
    const page = await anyAppliance(ports, ({ calls }) =>
      calls.reports({ batch, ...(from === undefined ? {} : { cursor: from }) }),
    );
    yield* page.reports;
    cursor = page.next;
  } while (cursor !== undefined);
}

/** Groups reports by move. The tries of one move are neighbours. */
async function* triesOf(reports: AsyncIterable<StoredMoveReport>): AsyncGenerator<StoredMoveReport[], void> {
  let tries: StoredMoveReport[] = [];
  for await (const report of reports) {
    if (tries.length > 0 && seqOf(tries) !== report.seq) {
      yield tries;
      tries = [];
    }
    tries.push(report);
  }
  if (tries.length > 0) yield tries;
}

function seqOf([first]: readonly StoredMoveReport[]): number | undefined {
  return first?.seq;
}

/** The result of one move. @param tries the reports of its tries, oldest first */
export function batchMoveOf(item: BatchItem, tries: readonly StoredMoveReport[]): BatchMoveReport {
  const { seq, volumes, from, to, sizeBytes } = item;
  const last = tries.at(-1);
  const planned = { seq, volumes, from, to, sizeBytes, tries: tries.length };
  if (last === undefined) return { ...planned, outcome: 'not-moved' };
  const { move, startedAtMs, endedAtMs } = last;
  return { ...planned, move, startedAtMs, endedAtMs, ...endOf(last) };
}

function endOf({
  outcome,
  problem,
  report,
}: StoredMoveReport): Pick<BatchMoveReport, 'outcome' | 'problem' | 'committed'> {
  if (outcome === 'moved' || outcome === 'cancelled') return { outcome };
  if (problem === undefined) return { outcome: 'failed' };
  const end = endOfFailure(problem.code, problem.detail, { problem, report });
  if (end.kind === 'there') return { outcome: 'already-there' };
  const why = { code: problem.code, message: problem.detail, action: actionOf(problem) };
  if (end.kind === 'window-closed') return { outcome: 'window-closed', problem: why };
  return { outcome: 'failed', problem: why, ...(report === undefined ? {} : { committed: true }) };
}

/** The advice of the reasons, if there are any: the refusal's own advice only says to fix them. */
function actionOf({ action, reasons = [] }: NonNullable<StoredMoveReport['problem']>): string {
  return reasons.length === 0 ? action : [...new Set(reasons.map(({ code }) => ERRORS[code].action))].join(' ');
}
