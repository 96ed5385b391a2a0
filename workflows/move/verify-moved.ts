// Verification after a move that asked for it: compares every moved volume with its replica. The
// move is done whatever the result.
import { ApplicationFailure, isCancellation } from '@temporalio/workflow';
import { ERRORS, MoverError, toProblem } from '../../contracts/errors.js';
import type { MoveReport } from '../../contracts/move.js';
import { VERIFY_BYTES_PER_SECOND_DEFAULT, type VerifiedVolume, type VerifyReport } from '../../contracts/verify.js';
import type { MoveRecorder } from '../saga/recorder.js';
import { codeOf, messageOf } from '../shared/step-failure.js';
import { verifyReplica } from '../verify/verify-activity.js';

/**
 * Verifies the volumes one after the other, all of them, even after a mismatch. When cancelled it
 * ends with the volumes verified so far; the move stands.
 * @throws ApplicationFailure VERIFY_MISMATCH, or why a volume could not be verified, with `{
 * progress, problem, report }` as its detail
 */
export async function verifyMoved(moved: MoveReport, recorder: MoveRecorder): Promise<MoveReport> {
  recorder.stage('verify');
  const verified: VerifiedVolume[] = [];
  const failures: unknown[] = [];
  for (const { volume } of moved.volumes) {
    try {
      const report = await recorder.record('verify', moved.attempt, () =>
        verifyReplica(volume, VERIFY_BYTES_PER_SECOND_DEFAULT),
      );
      verified.push(summaryOf(report));
    } catch (error) {
      if (isCancellation(error)) break;
      failures.push(error);
    }
  }
  const report: MoveReport = { ...moved, endedAtMs: Date.now(), steps: recorder.steps, verified };
  recorder.stage(failures.length === 0 ? 'done' : 'failed');
  if (failures.length === 0) return report;
  throw failureOf(failures, report, recorder);
}

function summaryOf({ volume, sizeBytes, regions, points, startedAtMs, endedAtMs }: VerifyReport): VerifiedVolume {
  return { volume, sizeBytes, regions, points, startedAtMs, endedAtMs };
}

/** A mismatch takes precedence over a failed comparison. */
function failureOf(failures: readonly unknown[], report: MoveReport, recorder: MoveRecorder): ApplicationFailure {
  const codes = failures.map((failure) => codeOf(failure) ?? 'INTERNAL');
  const code = codes.find((candidate) => candidate === 'VERIFY_MISMATCH') ?? codes[0] ?? 'INTERNAL';
  const message = [
    `The move is done: group "${report.to.group}" owns ${report.volumes.map(({ volume }) => `"${volume}"`).join(', ')}.`,
    code === 'VERIFY_MISMATCH'
      ? 'The verification after it found a difference:'
      : 'The verification after it could not be finished:',
    ...failures.map((failure) => messageOf(failure)),
    ERRORS[code].action,
  ].join(' ');
  const [first] = failures;
  return ApplicationFailure.create({
    message,
    type: code,
    // A second run of the move would only find the volumes in their target.
    nonRetryable: true,
    details: [{ progress: recorder.progress(), problem: toProblem(new MoverError(code, message)), report }],
    ...(first instanceof Error ? { cause: first } : {}),
  });
}
