// Plans of batches, item by item, and reports of batches. A plan is drafted in pages and finished
// once; then it never changes.
import { z } from 'zod';
import {
  batchItemSchema,
  type BatchItem,
  type BatchId,
  batchReportSchema,
  type BatchReport,
} from '../../../contracts/batch.js';
import { MoverError } from '../../../contracts/errors.js';
import { reportsApi } from '../../../contracts/report.js';
import type { OutputOf, ParsedInputOf } from '../../../contracts/route.js';
import type { TextChange, TextStore } from '../../store/text-store.js';
import { ordered, readStored } from './stored-text.js';

const ITEMS = 'planItems';
const PLANS = 'plans';
const REPORTS = 'batchReports';
export const BATCH_TABLES = [ITEMS, PLANS, REPORTS] as const;

const planSchema = z.strictObject(reportsApi.finishBatchPlan.input.shape);
type Plan = z.infer<typeof planSchema>;

export class BatchPlans {
  readonly #store: TextStore;

  constructor(store: TextStore) {
    this.#store = store;
  }

  /**
   * Stores a page of a draft. Does nothing once a plan is finished.
   * @throws MoverError INVALID_REQUEST if the seqs are not consecutive from `from` on
   */
  storePage({ batch, draft, from, items }: ParsedInputOf<typeof reportsApi.storeBatchPlan>): void {
    const gap = items.findIndex(({ seq }, i) => seq !== from + i);
    if (gap >= 0) throw refused(`items.${gap}.seq`, `${from + gap} is expected: the moves of a page follow each other`);
    if (this.#plan(batch) !== undefined) return;
    this.#store.commit(
      items.map((item) => ({ table: ITEMS, key: itemKey(batch, draft, item.seq), text: JSON.stringify(item) })),
    );
  }

  /**
   * Makes a draft the plan, unless one is finished already.
   * @returns how many moves the finished plan has.
   * @throws MoverError INVALID_REQUEST if some moves were not stored
   */
  finish(plan: ParsedInputOf<typeof reportsApi.finishBatchPlan>): { planned: number } {
    const { batch, draft, planned } = plan;
    const earlier = this.#plan(batch);
    if (earlier !== undefined) return { planned: earlier.planned };
    const stored = this.#store.count(ITEMS, `${batch} ${draft} `);
    if (stored !== planned) throw refused('planned', `${planned} moves are said to be planned, ${stored} are stored`);
    this.#store.commit([
      { table: PLANS, key: batch, text: JSON.stringify(plan) },
      ...this.#otherDrafts(batch, `${batch} ${draft} `),
    ]);
    return { planned };
  }

  /** @throws MoverError CORRUPT */
  page({ batch, from, limit }: ParsedInputOf<typeof reportsApi.batchPlan>): OutputOf<typeof reportsApi.batchPlan> {
    const plan = this.#plan(batch);
    // No draft is the plan before it is finished.
    if (plan === undefined) return { items: [], leftOut: [] };
    const { planned, alreadyThere, refused, leftOut } = plan;
    const items: BatchItem[] = [];
    for (let seq = from; seq < Math.min(from + limit, planned); seq += 1) {
      const text = this.#store.get(ITEMS, itemKey(batch, plan.draft, seq));
      if (text === undefined)
        throw new MoverError('CORRUPT', `Move ${seq} of the plan of batch "${batch}" is missing.`);
      items.push(readStored(batchItemSchema, text, `move ${seq} of the plan of batch "${batch}"`));
    }
    return { items, planned, alreadyThere, refused, leftOut };
  }

  storeReport(report: BatchReport): void {
    this.#store.commit([{ table: REPORTS, key: report.batch, text: JSON.stringify(report) }]);
  }

  /** @throws MoverError REPORT_NOT_FOUND, CORRUPT */
  report(batch: BatchId): BatchReport {
    const text = this.#store.get(REPORTS, batch);
    if (text === undefined)
      throw new MoverError('REPORT_NOT_FOUND', `The replica site has no report of batch "${batch}".`);
    return readStored(batchReportSchema, text, `report of batch "${batch}"`);
  }

  #plan(batch: BatchId): Plan | undefined {
    const text = this.#store.get(PLANS, batch);
    return text === undefined ? undefined : readStored(planSchema, text, `plan of batch "${batch}"`);
  }

  /** Removes the items of all drafts but the one whose keys begin with `keptPrefix`. */
  #otherDrafts(batch: BatchId, keptPrefix: string): TextChange[] {
    const keys = [...this.#store.range(ITEMS, { prefix: `${batch} ` })].map(([key]) => key);
    return keys.filter((key) => !key.startsWith(keptPrefix)).map((key) => ({ table: ITEMS, key }));
  }
}

function itemKey(batch: BatchId, draft: string, seq: number): string {
  return `${batch} ${draft} ${ordered(seq)}`;
}

function refused(subject: string, message: string): MoverError {
  return new MoverError('INVALID_REQUEST', `${subject}: ${message}`, {
    reasons: [{ code: 'INVALID_REQUEST', subject, message }],
  });
}
