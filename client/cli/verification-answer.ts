// The answer of commands that show one verification, with its exit code.
import { type MoverError, toProblem } from '../../contracts/errors.js';
import type { Verification } from '../verifications/verification-client.js';
import { EXIT, type ExitCode } from './exit-code.js';
import type { Output } from './output.js';
import { verifyEndLine, verifyReportLines, verifyRunningLines } from './verify-view.js';

/** @throws MoverError of a verification that ended with a failure and no report */
export function answerWithVerification(verification: Verification, output: Output): ExitCode {
  const { report, error, state, ...rest } = verification;
  if (report === undefined && error !== undefined) throw error;
  const json = { ...rest, state, ...(report === undefined ? {} : { report }) };
  output.answer(error === undefined ? json : { ...json, error: toProblem(error) }, () =>
    linesOf(verification).join('\n'),
  );
  return state === 'same' || state === 'running' ? EXIT.ok : EXIT.failed;
}

function linesOf(verification: Verification): string[] {
  const { state, report, error } = verification;
  if (state === 'running') return verifyRunningLines(verification, Date.now());
  if (report === undefined) return [verifyEndLine(verification)];
  return [...verifyReportLines(report), ...adviceOf(error), ...resyncLine(verification)];
}

/** The resync command, ready to paste. */
function resyncLine({ state, report, verificationId }: Verification): string[] {
  if (state !== 'different' || report === undefined) return [];
  return [`  To send only these ranges: volume-mover resync ${report.volume} --verified ${verificationId}`];
}

function adviceOf(error: MoverError | undefined): string[] {
  return error === undefined ? [] : [`  What to do: ${error.action}`];
}
