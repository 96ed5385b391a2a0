// When the next recovery point of each group is due. Groups don't wait for each other, and no group
// has two rounds at once.
import type { GroupId } from '../../../contracts/ids.js';

interface Entry {
  readonly everyMs: number;
  dueMs: number;
  running: boolean;
}

export class PointSchedule {
  readonly #entries = new Map<GroupId, Entry>();

  /**
   * Spreads the first points over each group's interval, so that the groups don't all come due at
   * once. All times are a monotonic clock's.
   */
  constructor(groups: readonly { readonly group: GroupId; readonly everyMs: number }[], nowMs: number) {
    groups.forEach(({ group, everyMs }, i) => {
      this.#entries.set(group, {
        everyMs,
        dueMs: nowMs + Math.round((everyMs * (i + 1)) / groups.length),
        running: false,
      });
    });
  }

  /** The groups whose round starts now. A group isn't returned again before its `done`. */
  take(nowMs: number): GroupId[] {
    const due: GroupId[] = [];
    for (const [group, entry] of this.#entries) {
      if (entry.running || entry.dueMs > nowMs) continue;
      entry.running = true;
      due.push(group);
    }
    return due;
  }

  /** Ends the group's round. Due times that passed meanwhile are skipped, not made up for. */
  done(group: GroupId, nowMs: number): void {
    const entry = this.#entries.get(group);
    if (entry === undefined) return;
    entry.running = false;
    const missed = Math.max(0, Math.floor((nowMs - entry.dueMs) / entry.everyMs));
    entry.dueMs += (missed + 1) * entry.everyMs;
  }

  /** The next due time; undefined while every group has a round in progress. */
  nextDueMs(): number | undefined {
    let next: number | undefined;
    for (const { running, dueMs } of this.#entries.values())
      if (!running && (next === undefined || dueMs < next)) next = dueMs;
    return next;
  }
}
