// Reads the stored plan of a batch: moves by their numbers, or page by page.
import type { BatchId, BatchItem } from '../contracts/batch.js';
import { MoverError } from '../contracts/errors.js';
import { BATCH_PLAN_PAGE_MAX } from '../contracts/report.js';
import { anyAppliance, type Ports } from './ports.js';

/**
 * Reads moves of the plan by number. @throws MoverError BATCH_NOT_FOUND when the plan has no such
 * move, UNREACHABLE, CORRUPT
 */
export async function readPlan(
  ports: Ports,
  { batch, seqs }: { readonly batch: BatchId; readonly seqs: readonly number[] },
): Promise<BatchItem[]> {
  const wanted = new Set(seqs);
  const found = new Map<number, BatchItem>();
  for (const from of seqs.toSorted((a, b) => a - b)) {
    if (found.has(from)) continue;
    const last = Math.max(...seqs.filter((seq) => seq < from + BATCH_PLAN_PAGE_MAX));
    const { items } = await anyAppliance(ports, ({ calls }) =>
      calls.batchPlan({ batch, from, limit: last - from + 1 }),
    );
    for (const item of items) if (wanted.has(item.seq)) found.set(item.seq, item);
    if (!found.has(from)) throw new MoverError('BATCH_NOT_FOUND', `The plan of batch "${batch}" has no move ${from}.`);
  }
  return [...found.values()];
}

/** Yields the plan from a move on, one page at a time. */
export async function* planPages(ports: Ports, batch: BatchId, begin = 0): AsyncGenerator<BatchItem[], void> {
  let from = begin;
  for (;;) {
    const at = from;
    const { items, planned = 0 } = await anyAppliance(ports, ({ calls }) => calls.batchPlan({ batch, from: at }));
    if (items.length === 0) return;
    yield items;
    from += items.length;
    if (from >= planned) return;
  }
}
