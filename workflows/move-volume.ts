// The workflow of one move: checks its input, runs the saga over activities, and says how it went.
import { ApplicationFailure, isCancellation, log, setHandler, workflowInfo } from '@temporalio/workflow';
import { MoverError, toProblem } from '../contracts/errors.js';
import type { MoveId } from '../contracts/ids.js';
import type { MoveInput, MoveReport } from '../contracts/move.js';
import { forwardSteps, patientSteps } from './activity-steps.js';
import { moveFailure } from './move-failure.js';
import { moveIdOf } from './move-id.js';
import { parseMoveInput } from './move-input.js';
import { PROGRESS_DESCRIPTION, progressQuery } from './progress-query.js';
import { moveSaga } from './saga/saga.js';
import { temporalRuntime } from './temporal-runtime.js';
import { VisibleRecorder } from './visible-recorder.js';

/**
 * Moves volumes to another consistency group, all or none; follow it with the query `progress`. Cancelled before the commit it
 * puts everything back and ends as cancelled; after the commit it is completed and returns its report.
 * @throws ApplicationFailure with the registry's code as its type and `{ progress, problem }` as its detail: everything is as
 *   it was before, unless its message says otherwise. INVALID_REQUEST at once for an input that is not accepted.
 */
export async function moveVolume(...args: [input: MoveInput]): Promise<MoveReport> {
  const input = parseMoveInput(args);
  const move = currentMoveId();
  const recorder = new VisibleRecorder(temporalRuntime, move, input);
  setHandler(progressQuery, () => recorder.progress(), { description: PROGRESS_DESCRIPTION });
  try {
    return await moveSaga({
      steps: forwardSteps(input),
      patientSteps: patientSteps(input),
      runtime: temporalRuntime,
      move,
      input,
      recorder,
    });
  } catch (error) {
    if (isCancellation(error)) {
      recorder.stage('failed');
      throw error;
    }
    const failure = moveFailure(error, recorder.progress());
    log.warn(failure.message, { move, code: failure.type });
    throw failure;
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
