// The workflow of one verification: checks its input, runs the comparison as an activity, and
// reports the result.
import { type ApplicationFailure, isCancellation, log, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { ERRORS } from '../../contracts/errors.js';
import {
  type ParsedVerifyInput,
  type VerifyInput,
  verifyInputSchema,
  type VerifyProgress,
  type VerifyReport,
} from '../../contracts/verify.js';
import { parseInput } from '../shared/parse-input.js';
import { verifyProgressQuery, VERIFY_PROGRESS_DESCRIPTION } from '../shared/progress-query.js';
import { codeOf, messageOf, workflowFailure } from '../shared/step-failure.js';
import { verifyReplica } from './verify-activity.js';
import { verifyDetailsOf } from './verify-details.js';
import { reportOf } from './verify-report.js';

const EXAMPLE: VerifyInput = { volume: 'vm-17-disk-0' };

/**
 * Compares a volume with its replica at one common point while the guest writes. Follow it with the
 * query `progress`. It changes nothing and can be cancelled at any time.
 * @returns the report of a replica that equals its source.
 * @throws ApplicationFailure with the registry's code as its type and `{ progress, problem }` as
 * its detail: VERIFY_MISMATCH when the replica differs, with the report in `progress`.
 * INVALID_REQUEST at once for an input that is not accepted.
 */
export async function verifyVolume(...args: [input: VerifyInput]): Promise<VerifyReport> {
  const input = parseInput(verifyInputSchema, EXAMPLE, args);
  let progress = initialProgress(input);
  const show = (next: VerifyProgress): void => {
    progress = next;
    setCurrentDetails(verifyDetailsOf(progress));
  };
  setHandler(verifyProgressQuery, () => progress, { description: VERIFY_PROGRESS_DESCRIPTION });
  show(progress);
  try {
    const report = await verifyReplica(input.volume, input.bytesPerSecond);
    show({ ...progress, stage: 'done', report });
    return report;
  } catch (error) {
    const report = reportOf(error);
    show({ ...progress, stage: 'failed', ...(report === undefined ? {} : { report }) });
    if (isCancellation(error)) throw error;
    const failure = verifyFailure(error, progress);
    log.warn(failure.message, { volume: input.volume, code: failure.type });
    throw failure;
  }
}

function initialProgress({ volume, bytesPerSecond }: ParsedVerifyInput): VerifyProgress {
  return { volume, stage: 'verifying', bytesPerSecond, startedAtMs: Date.now() };
}

function verifyFailure(error: unknown, progress: VerifyProgress): ApplicationFailure {
  const code = codeOf(error) ?? 'INTERNAL';
  const message =
    code === 'VERIFY_MISMATCH'
      ? messageOf(error)
      : `The verification of volume "${progress.volume}" could not be finished, and says nothing about its replica: ${messageOf(error)} ${ERRORS[code].action}`;
  return workflowFailure(error, message, { progress });
}
