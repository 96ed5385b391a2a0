// After a move that was asked to: every moved volume is compared with its replica. The move is done
// whatever comes of it.
import { ApplicationFailure, isCancellation } from '@temporalio/workflow';
import { ERRORS, MoverError, toProblem } from '../../contracts/errors.js';
import type { MoveReport } from '../../contracts/move.js';
import { VERIFY_BYTES_PER_SECOND_DEFAULT, type VerifiedVolume, type VerifyReport } from '../../contracts/verify.js';
import type { MoveRecorder } from '../saga/recorder.js';
import { codeOf, messageOf } from '../shared/step-failure.js';
import { verifyReplica } from '../verify/verify-activity.js';

/**
 * One volume after the other, all of them, also after one that differs. Cancelled, it ends with
 * those that were done: the move stands.
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

/** A mismatch is worse than what could not be compared. */
function failureOf(failures: readonly unknown[], report: MoveReport, recorder: MoveRecorder): ApplicationFailure {
  const codes = failures.map((failure) => codeOf(failure) ?? 'INTERNAL');
  const code = codes.find((candidate) => candidate === 'VERIFY_MISMATCH') ?? codes[0] ?? 'INTERNAL';
  const message = [
    `The move itself is done and committed: group "${report.to.group}" owns ${report.volumes.map(({ volume }) => `"${volume}"`).join(', ')}.`,
    code === 'VERIFY_MISMATCH'
      ? 'But the verification after it failed:'
      : 'But the verification after it could not be finished:',
    ...failures.map((failure) => messageOf(failure)),
    ERRORS[code].action,
  ].join(' ');
  const [first] = failures;
  return ApplicationFailure.create({
    message,
    type: code,
    // Run again, the move would only find the volumes there already.
    nonRetryable: true,
    details: [{ progress: recorder.progress(), problem: toProblem(new MoverError(code, message)), report }],
    ...(first instanceof Error ? { cause: first } : {}),
  });
}
