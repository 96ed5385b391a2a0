// Reports of moves and batches, and plans of batches.
import type { replicaSiteApi } from '../../../contracts/replica-site-api.js';
import type { Handlers } from '../../control-server/handlers.js';
import type { Reports } from '../reports/reports.js';

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

export function reportCalls({ moves, batches }: Reports): ReportCalls {
  return {
    storeReport: (report) => {
      moves.put(report);
      return {};
    },
    report: ({ move }) => moves.get(move),
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
