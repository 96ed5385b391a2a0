// Closes a recovery point of each served group at its interval, independent of the other groups and
// of wall clocks.
import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import type { GroupId } from '../../contracts/ids.js';
import { PointSchedule } from './core/point-schedule.js';
import type { Rounds } from './rounds.js';

/** Shortest time between two ticks, ms: groups that come due in between start together. */
const TICK_MS_MIN = 5;
/**
 * Longest wait of a point for a member that is behind, in intervals of the group: a slow link gets
 * fewer points, but gets them.
 */
const WAIT_INTERVALS = 2;
const WAIT_MS_MIN = 5_000;
/** Time without a closed point before health says so, ms: a restart of the site takes less. */
const FAILING_TOLD_AFTER_MS = 15_000;
/** The longest wait that the replica site accepts, ms. */
const WAIT_MS_MAX = 30_000;

/** A group, and how often a point of it is closed. */
export interface TimedGroup {
  readonly group: GroupId;
  readonly pointEveryMs: number;
}

export interface PointTimerOptions {
  readonly rounds: Pick<Rounds, 'close'>;
  /** Whether the group has anything that a point could contain. */
  readonly isAlive: (group: GroupId) => boolean;
  readonly log: Logger;
}

interface Failing {
  readonly code: string;
  readonly reason: string;
  /** When a round first failed: wall time for people, monotonic time for the duration. */
  readonly since: { readonly atMs: number; readonly steadyMs: number };
}

export class PointTimer {
  readonly #options: PointTimerOptions;
  readonly #schedule: PointSchedule;
  #waitMs: ReadonlyMap<GroupId, number> = new Map();
  /** Groups whose last round failed, with what was logged: logged again when the code changes. */
  readonly #failing = new Map<GroupId, Failing>();
  readonly #running = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PointTimerOptions) {
    this.#options = options;
    // One listener per group whose point is being closed.
    setMaxListeners(0, this.#stopping.signal);
    this.#schedule = new PointSchedule([], performance.now());
  }

  /** Closes points of these groups from now on, and of no others. */
  serve(groups: readonly TimedGroup[]): void {
    this.#schedule.set(
      groups.map(({ group, pointEveryMs }) => ({ group, everyMs: pointEveryMs })),
      performance.now(),
    );
    this.#waitMs = new Map(
      groups.map(({ group, pointEveryMs }) => [
        group,
        Math.min(WAIT_MS_MAX, Math.max(WAIT_MS_MIN, WAIT_INTERVALS * pointEveryMs)),
      ]),
    );
    for (const group of this.#failing.keys()) if (!this.#waitMs.has(group)) this.#failing.delete(group);
    this.#plan();
  }

  /** Groups whose last round failed. */
  get failingCount(): number {
    return this.#failing.size;
  }

  /** A sentence for each group that has something to close, but no closed point for a while. */
  get notes(): string[] {
    const nowMs = performance.now();
    return [...this.#failing]
      .filter(([, { since }]) => nowMs - since.steadyMs >= FAILING_TOLD_AFTER_MS)
      .map(
        ([group, { code, reason, since }]) =>
          `No recovery point of group "${group}" has been closed since ${new Date(since.atMs).toISOString()} (${code}): ${reason} Earlier points are kept. The appliance tries again by itself.`,
      );
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new MoverError('SHUTTING_DOWN', 'The appliance is shutting down.'));
    clearTimeout(this.#timer);
    await Promise.all(this.#running);
  }

  #plan(): void {
    clearTimeout(this.#timer);
    const dueMs = this.#schedule.nextDueMs();
    if (dueMs === undefined || this.#stopping.signal.aborted) return;
    this.#timer = setTimeout(() => this.#tick(), Math.max(TICK_MS_MIN, dueMs - performance.now()));
  }

  #tick(): void {
    for (const group of this.#schedule.take(performance.now())) {
      const round = this.#round(group).finally(() => {
        this.#running.delete(round);
        this.#schedule.done(group, performance.now());
        this.#plan();
      });
      this.#running.add(round);
    }
    this.#plan();
  }

  /** Closes one point. Never rejects. */
  async #round(group: GroupId): Promise<void> {
    const { rounds, isAlive, log } = this.#options;
    if (!isAlive(group)) {
      // The group is paused or disconnected; its state already says so.
      this.#failing.delete(group);
      return;
    }
    try {
      await rounds.close({
        group,
        kind: 'periodic',
        waitMs: this.#waitMs.get(group) ?? WAIT_MS_MIN,
        signal: this.#stopping.signal,
      });
      if (this.#failing.delete(group)) log.info({ group }, 'recovery points are being closed again');
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      const code = error instanceof MoverError ? error.code : 'INTERNAL';
      const reason = error instanceof MoverError ? error.message : 'See the log.';
      const known = this.#failing.get(group);
      const since = known?.since ?? { atMs: Date.now(), steadyMs: performance.now() };
      this.#failing.set(group, { code, reason, since });
      if (known?.code === code) return;
      log.warn(
        error instanceof MoverError ? { group, code, reason } : { group, err: error },
        'no recovery point could be closed',
      );
    }
  }
}
