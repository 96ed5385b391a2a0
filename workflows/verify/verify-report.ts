// The report that a verification with mismatches leaves in its failure.
import { ApplicationFailure } from '@temporalio/workflow';
import { verifyReportSchema, type VerifyReport } from '../../contracts/verify.js';

/** The report in a failed activity's failure; undefined for a failure of another kind. */
export function reportOf(error: unknown): VerifyReport | undefined {
  for (let cause = error; cause instanceof Error; { cause } = cause) {
    if (!(cause instanceof ApplicationFailure) || cause.type !== 'VERIFY_MISMATCH') continue;
    const report = verifyReportSchema.safeParse(cause.details?.[1]);
    if (report.success) return report.data;
  }
  return undefined;
}
