// The moves that are over: counts by outcome, and the failures.
import {
  BATCH_FAILURES_SHOWN_MAX,
  type BatchCounts,
  type BatchFailure,
  type BatchItem,
} from '../../../contracts/batch.js';
import type { BatchTicket, CarriedBatch, PlannedBatch } from '../../../contracts/batch-run.js';
import { ERRORS } from '../../../contracts/errors.js';
import type { MoveId } from '../../../contracts/ids.js';
import type { LastFailure } from './last-failure.js';
import { SeqSet } from './seq-set.js';

type Carried = Pick<CarriedBatch, 'moved' | 'there' | 'cancelled' | 'skipped' | 'failed' | 'failures'>;

type Count = 'moved' | 'there' | 'cancelled' | 'skipped';

export class Tally {
  readonly #counts: Record<Count, number>;
  #failed: SeqSet;
  #failures: BatchFailure[];

  constructor({ moved, there, cancelled, skipped, failed, failures }: Carried) {
    this.#counts = { moved, there, cancelled, skipped };
    this.#failed = SeqSet.from(failed);
    this.#failures = [...failures];
  }

  carried(): Carried {
    return { ...this.#counts, failed: this.#failed.toJSON(), failures: this.#failures };
  }

  get failed(): number {
    return this.#failed.size;
  }

  /** Counts of all moves. A planned move that is neither over nor running is waiting. */
  counts(plan: PlannedBatch | undefined, running: number): BatchCounts {
    const { moved, there, cancelled, skipped } = this.#counts;
    const { planned, alreadyThere, refused } = plan ?? { planned: 0, alreadyThere: 0, refused: 0 };
    return {
      planned,
      waiting: planned - (moved + there + cancelled + skipped + this.failed) - running,
      running,
      moved,
      failed: this.failed,
      cancelled,
      alreadyThere: alreadyThere + there,
      skipped,
      refused,
    };
  }

  /** The first failures, up to the number shown. */
  get failures(): readonly BatchFailure[] {
    return this.#failures;
  }

  add(count: Count): void {
    this.#counts[count] += 1;
  }

  /** @param item undefined when this run does not know it: the failure counts but can't be shown */
  addFailed(
    { seq, failures }: BatchTicket,
    last: LastFailure,
    { item, move }: { readonly item?: BatchItem | undefined; readonly move?: MoveId | undefined },
  ): void {
    this.#failed.add(seq);
    if (this.#failures.length >= BATCH_FAILURES_SHOWN_MAX || item === undefined) return;
    this.#failures.push({
      seq,
      volumes: item.volumes,
      to: item.to,
      ...(move === undefined ? {} : { move }),
      tries: failures,
      ...last,
      ...(last.code === undefined ? {} : { action: ERRORS[last.code].action }),
    });
  }

  /** Removes the failed moves from the tally and returns them. */
  takeFailed(): SeqSet {
    const failed = this.#failed;
    this.#failed = new SeqSet();
    this.#failures = [];
    return failed;
  }
}
