// When the next recovery point of each group is due. Groups don't wait for each other, and no group
// has two rounds at once.
import type { GroupId } from '../../../contracts/ids.js';

export interface ScheduledGroup {
  readonly group: GroupId;
  readonly everyMs: number;
}

interface Entry {
  readonly everyMs: number;
  dueMs: number;
  running: boolean;
}

export class PointSchedule {
  #entries = new Map<GroupId, Entry>();

  constructor(groups: readonly ScheduledGroup[], nowMs: number) {
    this.set(groups, nowMs);
  }

  /**
   * Takes the groups to close points of from now on. A group that keeps its interval keeps its due
   * time. The first points of the others are spread over each one's interval, so that they don't
   * all come due at once. All times are a monotonic clock's.
   */
  set(groups: readonly ScheduledGroup[], nowMs: number): void {
    const before = this.#entries;
    this.#entries = new Map();
    groups.forEach(({ group, everyMs }, i) => {
      const known = before.get(group);
      if (known?.everyMs === everyMs) this.#entries.set(group, known);
      else
        this.#entries.set(group, {
          everyMs,
          dueMs: nowMs + Math.round((everyMs * (i + 1)) / groups.length),
          running: known?.running ?? false,
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
