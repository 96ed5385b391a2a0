// Reports of moves and batches, and plans of batches.
import { attemptName } from '../../../contracts/attempt.js';
import type { replicaSiteApi } from '../../../contracts/replica-site-api.js';
import type { Handlers } from '../../control-server/handlers.js';
import type { Reports } from '../reports/reports.js';
import type { Site } from '../site.js';

type ReportCalls = Pick<
  Handlers<typeof replicaSiteApi>,
  | 'storeReport'
  | 'report'
  | 'reports'
  | 'storeBatchPlan'
  | 'finishBatchPlan'
  | 'batchPlan'
  | 'storeBatchReport'
  | 'batchReport'
>;

export function reportCalls({ moves, batches }: Reports, { state }: Pick<Site, 'state'>): ReportCalls {
  return {
    // What becomes of a way back is known later: each reading asks anew.
    storeReport: ({ wayBack: _asOfThen, ...report }) => {
      moves.put(report);
      return {};
    },
    report: ({ move }) => {
      const stored = moves.get(move);
      const attempt = stored.report?.attempt;
      const wayBack = attempt === undefined ? undefined : state.attempts.get(attemptName(attempt))?.record.wayBack;
      return wayBack === undefined ? stored : { ...stored, wayBack };
    },
    reports: (input) => moves.page(input),
    storeBatchPlan: (input) => {
      batches.storePage(input);
      return {};
    },
    finishBatchPlan: (input) => batches.finish(input),
    batchPlan: (input) => batches.page(input),
    storeBatchReport: (report) => {
      batches.storeReport(report);
      return {};
    },
    batchReport: ({ batch }) => batches.report(batch),
  };
}
