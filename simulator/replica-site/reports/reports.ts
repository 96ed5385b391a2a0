// Reports and plans in a store of their own beside the site's rows: there may be hundreds of
// thousands, so none is held in memory.
import { openTextStore } from '../../store/text-store.js';
import { BATCH_TABLES, BatchPlans } from './batch-plans.js';
import { MOVE_REPORT_TABLES, MoveReports } from './move-reports.js';

export interface Reports {
  readonly moves: MoveReports;
  readonly batches: BatchPlans;
  /** What their store lacks, in a sentence. */
  readonly note: string | undefined;
  readonly close: () => Promise<void>;
}

/** What can't be opened now is opened at a later call, and told of: a site serves without them. */
export function openReports(options: { readonly directory: string; readonly sync: boolean }): Reports {
  const store = openTextStore({ ...options, tables: [...MOVE_REPORT_TABLES, ...BATCH_TABLES] });
  return {
    moves: new MoveReports(store),
    batches: new BatchPlans(store),
    get note() {
      return store.note;
    },
    close: async () => store.close(),
  };
}
