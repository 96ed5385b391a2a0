// Rounds of retention: each drops the points that no policy keeps and the UNDO that no point needs,
// and tells each group what its points cost. It works in slices: distribution and the guests'
// writes go on.
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { GroupId, PointId, VolumeId } from '../../contracts/ids.js';
import { forgetAttempts, type IdleAttempt } from './core/forgetting.js';
import { forgetBefore } from './core/history-end.js';
import { accountFor, makeSpace } from './core/journal-space.js';
import { mayRenew } from './core/attempts.js';
import { applyPolicy } from './core/policy.js';
import { RetentionWalk, type NamedPositions } from './core/retained.js';
import type { SiteState } from './core/state.js';
import type { SiteMoment } from './core/terms.js';
import { endLapsed } from './core/ways-back.js';
import type { VolumeJournal } from './journal/terms/types.js';
import type { Site } from './site.js';

/**
 * How long an attempt that nothing needs is kept, by the clock of ages, milliseconds: a mover whose
 * workers were away for a day still learns how its attempt ended.
 */
const VERDICT_KEPT_MS = 24 * 3_600_000;
/**
 * Most such attempts: at about 1 KiB each they take 10 MiB of memory. Beyond that the oldest are
 * forgotten sooner.
 */
const IDLE_ATTEMPTS_MAX = 10_000;
/** Attempts looked at in one change: less than a millisecond. */
const ATTEMPTS_PER_CHANGE = 256;

/** What a round needs of a journal. */
export type RetainedJournal = Pick<VolumeJournal, 'applied' | 'failure' | 'retain' | 'trimPosition' | 'undoBytesAfter'>;

export interface RetentionRoundsOptions {
  readonly site: Pick<Site, 'state' | 'change' | 'now'>;
  /** Open journals: the others have nothing to drop. */
  readonly journals: ReadonlyMap<VolumeId, RetainedJournal>;
  /** Points with open images. */
  readonly inUse: () => ReadonlySet<PointId>;
  /**
   * Positions applied within this time stay openable, because a point that is being closed may
   * still name them. Milliseconds, longer than a point may wait for its cuts.
   */
  readonly settledAfterMs: number;
  /** A monotonic clock, milliseconds. */
  readonly steadyMs: () => number;
  readonly log: Pick<Logger, 'debug' | 'info' | 'warn'>;
  readonly signal: AbortSignal;
  /** Replaces VERDICT_KEPT_MS and IDLE_ATTEMPTS_MAX in tests. */
  readonly verdictKeptMs?: number | undefined;
  readonly idleAttemptsMax?: number | undefined;
  /** Lets others work between two slices; default: a turn of the event loop. */
  readonly nextTurn?: () => Promise<void>;
}

/** What a change is about. */
type ChangeOf =
  | { readonly group: GroupId }
  | { readonly volume: VolumeId }
  | { readonly what: 'attempts' | 'ways back' };

/** A volume's applied position at some time. */
interface Applied {
  readonly position: number;
  readonly atMs: number;
}

export class RetentionRounds {
  readonly #options: RetentionRoundsOptions;
  /**
   * Applied positions seen by rounds, by volume: the newest that is old enough, and those since.
   */
  readonly #seen = new Map<VolumeId, readonly Applied[]>();
  /**
   * When a group last dropped points for lack of room, by the monotonic clock. Until their UNDO is
   * consolidated, its cost is charged to neighbouring points: a group judged before that would drop
   * far more than needed.
   */
  readonly #droppedAtMs = new Map<GroupId, number>();

  constructor(options: RetentionRoundsOptions) {
    this.#options = options;
  }

  /**
   * Runs one round.
   * @throws the signal's reason
   */
  async run(): Promise<void> {
    const { site, journals, inUse } = this.#options;
    this.#endWaysBack();
    const groups = [...site.state.groups.values()].map((row) => row.group);
    for (const group of groups) {
      this.#change({ group }, (state, now) => applyPolicy(state, group, now.ageMs, inUse()));
      await this.#pause();
    }
    // Must come before the walk: a point closed during it, or during a long round, names no older
    // position than this. The same holds for a snapshot sealed meanwhile, so volumes that are being
    // moved are left alone in this round. What an unreadable point names is unknown: then nothing
    // is dropped.
    const mayBeNeeded = site.state.points.unreadable.size > 0;
    const settled = new Map(
      [...journals].map(([volume, journal]) => {
        const position = this.#settled(volume, journal);
        return [volume, this.#isMoving(volume) || mayBeNeeded ? undefined : position];
      }),
    );
    const walk = new RetentionWalk(site.state, settled.keys());
    while (!walk.step()) await this.#pause();
    const costs = new Map<PointId, number>();
    /** Groups whose costs will shrink: some of their UNDO waits to be dropped. */
    const unsettled = new Set<GroupId>();
    for (const [volume, named] of walk.named) {
      if (await this.#retain(volume, named, settled.get(volume), costs)) continue;
      for (const point of named.values()) {
        const group = site.state.points.get(point)?.point.group;
        if (group !== undefined) unsettled.add(group);
      }
    }
    for (const group of groups) {
      if (unsettled.has(group) || this.#isSettling(group) || mayBeNeeded)
        this.#change({ group }, (state) => accountFor(state, group, costs));
      else this.#makeSpace(group, costs);
      await this.#pause();
    }
    await this.#forgetAttempts();
  }

  /** Notes and tells which ways back have ended: their groups keep nothing for them from now on. */
  #endWaysBack(): void {
    for (const { attempt, contents, wayBack } of this.#change({ what: 'ways back' }, endLapsed) ?? []) {
      const why = wayBack?.ended?.why;
      const volumes = contents?.volumes.map(({ volume }) => volume);
      this.#options.log.info(
        { move: attempt.move, volumes, group: contents?.from, why },
        'the way back of a move has ended',
      );
    }
  }

  /** Forgets attempts that nothing needs: after a while, or at once where they are too many. */
  async #forgetAttempts(): Promise<void> {
    const { site, verdictKeptMs = VERDICT_KEPT_MS, idleAttemptsMax = IDLE_ATTEMPTS_MAX } = this.#options;
    const idle = await this.#forget(site.state.decidedAttempts(), verdictKeptMs);
    const tooMany = idle.toSorted((a, b) => a.ticket - b.ticket).slice(0, Math.max(0, idle.length - idleAttemptsMax));
    await this.#forget(
      tooMany.map(({ name }) => name),
      0,
    );
  }

  /** @returns those that nothing needs and that are kept for a while */
  async #forget(names: readonly string[], keptMs: number): Promise<IdleAttempt[]> {
    const idle: IdleAttempt[] = [];
    for (let from = 0; from < names.length; from += ATTEMPTS_PER_CHANGE) {
      const some = names.slice(from, from + ATTEMPTS_PER_CHANGE);
      const found = this.#change({ what: 'attempts' }, (state, now) => forgetAttempts(state, some, now.ageMs, keptMs));
      if (found !== undefined) idle.push(...found.idle);
      if (found !== undefined && found.forgotten > 0)
        this.#options.log.debug({ forgotten: found.forgotten }, 'attempts that are over were forgotten');
      await this.#pause();
    }
    return idle;
  }

  /**
   * Drops a volume's UNDO that is not needed, and adds what is left to the points' costs.
   * @returns whether all of it is dropped: only then are the costs final.
   */
  async #retain(
    volume: VolumeId,
    named: NamedPositions,
    everyFrom: number | undefined,
    costs: Map<PointId, number>,
  ): Promise<boolean> {
    const { journals, log, signal } = this.#options;
    const journal = journals.get(volume);
    if (journal === undefined || journal.failure !== undefined) return true;
    try {
      const applied = journal.applied.position;
      const positions = [...named.keys()].filter((position) => position <= applied).toSorted((a, b) => a - b);
      const isSettled = everyFrom !== undefined && !this.#isMoving(volume);
      if (isSettled) {
        let freed = 0;
        for (let done = false; !done;) {
          const result = await journal.retain({ positions, everyFrom }, signal);
          freed += result.freedBytes;
          ({ done } = result);
          await this.#pause();
        }
        if (freed > 0) log.debug({ volume, freed, trimPosition: journal.trimPosition }, 'UNDO was dropped');
        this.#forgetHistory(volume, named, journal.trimPosition);
      }
      const bytes = await journal.undoBytesAfter(positions);
      for (const [i, position] of positions.entries()) {
        const point = named.get(position);
        if (point !== undefined) costs.set(point, (costs.get(point) ?? 0) + (bytes[i] ?? 0));
      }
      return isSettled;
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ err: error, volume }, 'UNDO of a volume could not be retained or counted');
      return false;
    }
  }

  /**
   * Forgets rows about history that is gone. A point may name a position that damage has taken from
   * the journal: what is known of its time stays, too.
   */
  #forgetHistory(volume: VolumeId, named: NamedPositions, trimPosition: number): void {
    let oldest = trimPosition;
    for (const position of named.keys()) oldest = Math.min(oldest, position);
    const forgotten = this.#change({ volume }, (state) => forgetBefore(state, volume, oldest));
    if (forgotten !== undefined && forgotten.owners + forgotten.holes > 0)
      this.#options.log.debug({ volume, oldest, ...forgotten }, 'rows of history that is gone were forgotten');
  }

  /**
   * The newest position that was applied long enough ago; undefined if no look is old enough yet.
   */
  #settled(volume: VolumeId, journal: RetainedJournal): number | undefined {
    const atMs = this.#options.steadyMs();
    const looks = [...(this.#seen.get(volume) ?? []), { position: journal.applied.position, atMs }];
    const settled = looks.findLastIndex((look) => atMs - look.atMs >= this.#options.settledAfterMs);
    const kept = settled < 0 ? looks : looks.slice(settled);
    this.#seen.set(volume, kept);
    return settled < 0 ? undefined : kept[0]?.position;
  }

  /**
   * Whether a move out of the volume's group runs. It took a cut of the group's other members at
   * the fence, and may seal it at any time.
   */
  #isMoving(volume: VolumeId): boolean {
    const { state, now } = this.#options.site;
    const group = state.volumes.get(volume)?.group;
    return state.openAttempts().some(({ name }) => {
      if (state.attempts.unreadable.has(name)) return true;
      const contents = state.attempts.get(name)?.record.contents;
      return contents !== undefined && contents.from === group && mayRenew(state, contents, now.monotonicMs);
    });
  }

  /**
   * Applies a rule. If the store refuses the change, the next round tries again; UNDO that no
   * stored row needs is dropped all the same, and makes room.
   */
  #change<Result>(of: ChangeOf, rule: (state: SiteState, now: SiteMoment) => Result): Result | undefined {
    try {
      return this.#options.site.change(rule);
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      this.#options.log.warn({ ...of, code: error.code, reason: error.message }, 'retention could not be stored');
      return undefined;
    }
  }

  #isSettling(group: GroupId): boolean {
    const { steadyMs, settledAfterMs } = this.#options;
    const droppedAtMs = this.#droppedAtMs.get(group);
    return droppedAtMs !== undefined && steadyMs() - droppedAtMs <= settledAfterMs;
  }

  #makeSpace(group: GroupId, costs: ReadonlyMap<PointId, number>): void {
    const { site, inUse, log } = this.#options;
    const before = site.state.group(group).journal.alert?.message;
    const dropped = this.#change({ group }, (state, now) => makeSpace(state, group, costs, now.ageMs, inUse())) ?? 0;
    if (dropped > 0) this.#droppedAtMs.set(group, this.#options.steadyMs());
    const { alert } = site.state.group(group).journal;
    if (alert !== undefined && alert.message !== before) log.warn({ group, dropped }, alert.message);
    if (alert === undefined && before !== undefined) log.info({ group }, 'the journal is well below its limit again');
  }

  async #pause(): Promise<void> {
    await (this.#options.nextTurn ?? nextTurn)();
    this.#options.signal.throwIfAborted();
  }
}
