// The workflow of one move: checks its input, runs the saga over activities, and reports the
// result.
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  log,
  workflowInfo,
} from '@temporalio/workflow';
import { MoverError, toProblem } from '../../contracts/errors.js';
import type { MoveId } from '../../contracts/ids.js';
import type { MoveInput, MoveReport, ParsedMoveInput } from '../../contracts/move.js';
import { forwardSteps, patientSteps } from './activity-steps.js';
import { keepReport } from './keep-report.js';
import { moveFailure } from './move-failure.js';
import { moveIdOf } from '../../contracts/move-id.js';
import { handleMoveRequests } from './move-handlers.js';
import { parseMoveInput } from './move-input.js';
import { MoveControls } from '../saga/controls.js';
import { moveSaga } from '../saga/saga.js';
import { attributesAtStart, outcomeAttributes } from '../../contracts/search-pairs.js';
import { type EndedMove, type MoveStart, refusedReportOf, storedReportOf } from './stored-report.js';
import { setSearchAttributes } from '../shared/hidden-names.js';
import { temporalRuntime } from './temporal-runtime.js';
import { verifyMoved } from './verify-moved.js';
import { VisibleRecorder } from './visible-recorder.js';

/**
 * Moves volumes to another consistency group, all or none. Follow it with the query `progress`,
 * steer it with its updates.
 * When cancelled before the commit it puts everything back and ends as cancelled; after the commit
 * it completes and returns its report.
 * @throws ApplicationFailure with the registry's code as its type and `{ progress, problem }` as
 * its detail. Everything is as before unless its message says otherwise. INVALID_REQUEST at once
 * for an input that is not accepted. With `verify`, VERIFY_MISMATCH when a replica differs after
 * the move, which is done. The replica site keeps the report in every case.
 */
export async function moveVolume(...args: [input: MoveInput]): Promise<MoveReport> {
  const started: MoveStart = { move: currentMoveId(), startedAtMs: Date.now() };
  const input = await parseOrStoreRefusal(started, args);
  const recorder = new VisibleRecorder(started.move, input);
  const controls = new MoveControls(input, recorder);
  handleMoveRequests(recorder, controls);
  let moved: MoveReport | undefined;
  const finish = async (end: EndedMove): Promise<void> => {
    setSearchAttributes(outcomeAttributes(end.outcome));
    await keepReport(storedReportOf(started, input, end, Date.now()));
    await CancellationScope.nonCancellable(async () => condition(allHandlersFinished));
  };
  try {
    moved = await moveSaga({
      steps: forwardSteps(input),
      patientSteps: patientSteps(input),
      runtime: temporalRuntime,
      move: started.move,
      input,
      recorder,
      controls,
    });
    if (input.verify === true) moved = await verifyMoved(moved, recorder);
  } catch (error) {
    const end = endOf(error, recorder, moved);
    await finish(end);
    throw end.error;
  }
  await finish({ outcome: 'moved', moved });
  return moved;
}

/** The end of a move that did not succeed, and the error that its workflow throws. */
function endOf(
  error: unknown,
  recorder: VisibleRecorder,
  moved: MoveReport | undefined,
): Exclude<EndedMove, { outcome: 'moved' }> & { readonly error: unknown } {
  if (moved !== undefined) {
    // The move is done; the failure is that of its verification.
    return { outcome: 'failed', error, progress: recorder.progress(), moved };
  }
  if (isCancellation(error)) {
    recorder.stage('failed');
    return { outcome: 'cancelled', error, progress: recorder.progress() };
  }
  const progress = recorder.progress();
  const failure = moveFailure(error, progress);
  log.warn(failure.message, { move: progress.move, code: failure.type });
  return { outcome: 'failed', error: failure, progress, moved };
}

/**
 * Parses the input. @throws ApplicationFailure INVALID_REQUEST; stores a report first if the input
 * names volumes and a group
 */
async function parseOrStoreRefusal(started: MoveStart, args: readonly unknown[]): Promise<ParsedMoveInput> {
  try {
    return parseMoveInput(args);
  } catch (error) {
    const report = refusedReportOf(started, args, error);
    const attributes = report === undefined ? [] : attributesAtStart({ volumes: report.volumes, to: report.to });
    setSearchAttributes([...attributes.filter(({ key }) => key.name !== 'Stage'), ...outcomeAttributes('failed')]);
    if (report !== undefined) await keepReport(report);
    throw error;
  }
}

function currentMoveId(): MoveId {
  const { workflowId, firstExecutionRunId } = workflowInfo();
  try {
    return moveIdOf(workflowId, firstExecutionRunId);
  } catch (error) {
    if (!(error instanceof MoverError)) throw error;
    throw ApplicationFailure.nonRetryable(error.message, error.code, { problem: toProblem(error) });
  }
}
