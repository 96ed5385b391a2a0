// A batch driven without Temporal: plays the world around it, and checks at every step what must
// always be true.
import { expect } from 'vitest';
import { type BatchItem, batchItemSchema, type BatchOptions, batchOptionsSchema } from '../../contracts/batch.js';
import { carriedBatchSchema, type MoveEnd } from '../../contracts/batch-run.js';
import { moveIdSchema } from '../../contracts/ids.js';
import { BatchCore } from '../../workflows/batch/core/batch-core.js';
import type { Start } from '../../workflows/batch/core/decision.js';

export const BATCH_ID = moveIdSchema.parse('b@run-1');
/** A window of the model: open for a while of each period. */
export const PERIOD_MS = 100_000;

export function itemsOf(count: number, groups = 3): BatchItem[] {
  return Array.from({ length: count }, (_, seq) =>
    batchItemSchema.parse({
      seq,
      volumes: [`v${seq}`],
      from: `from-${seq % groups}`,
      to: `to-${(seq * 7) % groups}`,
      sizeBytes: 1_000,
      appliances: [`a${seq % 2}`, `b${seq % groups}`],
    }),
  );
}

export class BatchModel {
  batch: BatchCore;
  nowMs = 1_000;
  readonly options: BatchOptions;
  readonly #items: readonly BatchItem[];
  /** What runs, by move, as the world sees it. */
  readonly flying = new Map<number, Start>();
  /** How often each move was begun. */
  readonly starts = new Map<number, number>();
  readonly workflowIds = new Set<string>();
  /** When moves were begun. */
  readonly startedAtMs: number[] = [];
  readonly cancelAsked = new Set<number>();
  isOver = false;
  concurrency: BatchOptions['concurrency'];
  readonly openMs: number;

  constructor(
    items: readonly BatchItem[],
    options: Parameters<typeof batchOptionsSchema.parse>[0] = {},
    openMs = PERIOD_MS / 2,
  ) {
    this.options = batchOptionsSchema.parse(options);
    this.openMs = openMs;
    this.#items = items;
    this.concurrency = this.options.concurrency;
    this.batch = BatchCore.begin(this.options, 'b', BATCH_ID, this.nowMs);
    this.batch.planned({ planned: items.length, alreadyThere: 0, refused: 0, leftOut: [], runEventsMax: 100 });
  }

  /** Does what the batch decides until it waits or is over. @returns until when it waits */
  settle(): number | undefined {
    for (let i = 0; ; i += 1) {
      if (i > 1_000) throw new Error('the batch never comes to rest');
      const decision = this.batch.decide(this.nowMs);
      switch (decision.kind) {
        case 'read':
          expect(decision.seqs.length).toBeGreaterThan(0);
          this.batch.provide(decision.seqs.map((seq) => this.#item(seq)));
          break;
        case 'window':
          this.batch.opened(this.windowAt(decision.atMs));
          break;
        case 'cancel':
          for (const workflowId of decision.workflowIds) this.#cancel(workflowId);
          break;
        case 'start':
          for (const start of decision.starts) this.#begin(start);
          this.checkCounts();
          break;
        case 'wait':
          if (decision.untilMs !== undefined) expect(decision.untilMs).toBeGreaterThan(this.nowMs);
          return decision.untilMs;
        case 'end':
          this.isOver = true;
          expect(this.flying.size).toBe(0);
          return undefined;
      }
    }
  }

  windowAt(atMs: number): { opensAtMs: number; closesAtMs: number } {
    const start = atMs - (atMs % PERIOD_MS);
    const opensAtMs = atMs < start + this.openMs ? start : start + PERIOD_MS;
    return { opensAtMs, closesAtMs: opensAtMs + this.openMs };
  }

  #cancel(workflowId: string): void {
    const seq = this.batch.inFlight.seqOf(workflowId);
    if (seq === undefined) throw new Error(`${workflowId} is to be cancelled, but does not run`);
    expect(this.cancelAsked.has(seq), `move ${seq} is asked to stop twice`).toBe(false);
    this.cancelAsked.add(seq);
  }

  #begin(start: Start): void {
    const { seq } = start.item;
    expect(this.flying.has(seq), `move ${seq} is begun while it runs`).toBe(false);
    expect(this.workflowIds.has(start.workflowId), `${start.workflowId} is begun twice`).toBe(false);
    this.workflowIds.add(start.workflowId);
    this.flying.set(seq, start);
    this.starts.set(seq, (this.starts.get(seq) ?? 0) + 1);
    this.startedAtMs.push(this.nowMs);
    this.#checkLimits();
    if (this.options.window !== undefined) {
      const { opensAtMs, closesAtMs } = this.windowAt(this.nowMs);
      expect(this.nowMs >= opensAtMs && this.nowMs < closesAtMs, 'begun outside the window').toBe(true);
    }
  }

  #checkLimits(): void {
    const running = [...this.flying.values()].map(({ item }) => item);
    const most = (keys: readonly string[]): number =>
      Math.max(0, ...[...new Set(keys)].map((key) => keys.filter((other) => other === key).length));
    const { all, perSourceGroup = Infinity, perTargetGroup = Infinity, perAppliance = Infinity } = this.concurrency;
    expect(running.length).toBeLessThanOrEqual(all);
    expect(most(running.map(({ from }) => from))).toBeLessThanOrEqual(perSourceGroup);
    expect(most(running.map(({ to }) => to))).toBeLessThanOrEqual(perTargetGroup);
    expect(most(running.flatMap(({ appliances }) => appliances))).toBeLessThanOrEqual(perAppliance);
  }

  end(seq: number, end: MoveEnd | undefined): void {
    this.flying.delete(seq);
    this.batch.ended(seq, end, this.nowMs);
    this.checkCounts();
  }

  checkCounts(): void {
    const { planned, waiting, running, moved, failed, cancelled, alreadyThere, skipped } = this.batch.counts();
    expect(running).toBe(this.flying.size);
    expect(waiting).toBeGreaterThanOrEqual(0);
    expect(waiting + running + moved + failed + cancelled + alreadyThere + skipped).toBe(planned);
  }

  /** A new run of the workflow, or a worker that was killed: everything goes through JSON. */
  renew(): void {
    const carried: unknown = JSON.parse(JSON.stringify(this.batch.carried()));
    const before = this.#seen();
    this.batch = new BatchCore(this.options, 'b', carriedBatchSchema.parse(carried));
    expect(this.#seen(), 'a new run knows something else').toEqual(before);
    this.checkCounts();
  }

  /** What can be seen of the batch in any of its runs. */
  #seen(): unknown {
    // Those that run longest are known when the plan has been read.
    const { longest: _longest, ...progress } = this.batch.progress(this.nowMs);
    const { canary, stop } = this.batch;
    return { progress, canary, stop, over: this.#items.map(({ seq }) => this.batch.isOver(seq)) };
  }

  #item(seq: number): BatchItem {
    const item = this.#items[seq];
    if (item === undefined) throw new Error(`there is no move ${seq}`);
    return item;
  }
}
