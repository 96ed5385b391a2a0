// Reports and plans, in a store of their own beside the site's rows. There may be hundreds of
// thousands, so none is held in memory.
import { openTextStore } from '../../store/text-store.js';
import { BATCH_TABLES, BatchPlans } from './batch-plans.js';
import { MOVE_REPORT_TABLES, MoveReports } from './move-reports.js';

export interface Reports {
  readonly moves: MoveReports;
  readonly batches: BatchPlans;
  /** A sentence about what is wrong with their store. */
  readonly note: string | undefined;
  readonly close: () => Promise<void>;
}

/**
 * Opens the store. If it can't be opened now, `note` says so and a later call opens it: the site
 * serves without it.
 */
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
