// Reports and plans in a store of their own beside the site's rows: there may be hundreds of
// thousands, so none is held in memory.
import { openTextStore } from '../../store/text-store.js';
import { BATCH_TABLES, BatchPlans } from './batch-plans.js';
import { MOVE_REPORT_TABLES, MoveReports } from './move-reports.js';

export interface Reports {
  readonly moves: MoveReports;
  readonly batches: BatchPlans;
  readonly close: () => Promise<void>;
}

/** @throws Error when the folder or its files can't be used */
export function openReports(options: { readonly directory: string; readonly sync: boolean }): Reports {
  const store = openTextStore({ ...options, tables: [...MOVE_REPORT_TABLES, ...BATCH_TABLES] });
  return { moves: new MoveReports(store), batches: new BatchPlans(store), close: async () => store.close() };
}
