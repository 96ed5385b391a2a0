// One round of retention: drops the points that no policy keeps, lets go of the UNDO that no point
// needs, and tells each group what its points cost. All of it in slices: distribution and the
// guests' writes go on.
import type { Logger } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { GroupId, PointId, VolumeId } from '../../contracts/ids.js';
import { accountFor, makeSpace } from './core/journal-space.js';
import { mayRenew } from './core/attempts.js';
import { applyPolicy } from './core/policy.js';
import { RetentionWalk, type NamedPositions } from './core/retained.js';
import type { SiteState } from './core/state.js';
import type { SiteMoment } from './core/terms.js';
import type { VolumeJournal } from './journal/terms/types.js';
import type { Site } from './site.js';

export interface RetentionRoundsOptions {
  readonly site: Pick<Site, 'state' | 'change' | 'now'>;
  /** Those that are open: the others have nothing to let go of. */
  readonly journals: ReadonlyMap<VolumeId, VolumeJournal>;
  /** Points of which images are open. */
  readonly inUse: () => ReadonlySet<PointId>;
  /**
   * Every position that was applied less long ago stays openable: a point that is being closed may
   * still name it. Milliseconds, longer than a point may wait for its cuts.
   */
  readonly settledAfterMs: number;
  /** Milliseconds since any moment, of a clock that is never set. */
  readonly steadyMs: () => number;
  readonly log: Pick<Logger, 'debug' | 'info' | 'warn'>;
  readonly signal: AbortSignal;
}

/** What was applied of a volume when. */
interface Applied {
  readonly position: number;
  readonly atMs: number;
}

export class RetentionRounds {
  readonly #options: RetentionRoundsOptions;
  /** Of each volume: the newest look that is long enough ago, and those since. */
  readonly #looks = new Map<VolumeId, readonly Applied[]>();
  /**
   * When a group last dropped points for lack of room, by the steady clock. What their UNDO still
   * costs then is charged to their neighbours until it has come to rest and is consolidated: judged
   * before, a group would drop far more than it has to.
   */
  readonly #droppedAtMs = new Map<GroupId, number>();

  constructor(options: RetentionRoundsOptions) {
    this.#options = options;
  }

  /** @throws the signal's reason */
  async run(): Promise<void> {
    const { site, journals, inUse } = this.#options;
    const groups = [...site.state.groups.values()].map((row) => row.group);
    for (const group of groups) {
      this.#change(group, (state, now) => applyPolicy(state, group, now.ageMs, inUse()));
      await this.#pause();
    }
    // Before the walk: a point that is closed while it goes on, or while a long round does, names
    // nothing older than this. Likewise a snapshot that is sealed meanwhile: what is being moved
    // now is left alone to the end of the round. What a point names that can't be read is not
    // known.
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
    /** Groups some of whose costs are about to shrink. */
    const unsettled = new Set<GroupId>();
    for (const [volume, named] of walk.named) {
      if (await this.#keep(volume, named, settled.get(volume), costs)) continue;
      for (const point of named.values()) {
        const group = site.state.points.get(point)?.point.group;
        if (group !== undefined) unsettled.add(group);
      }
    }
    for (const group of groups) {
      if (unsettled.has(group) || this.#isSettling(group) || mayBeNeeded)
        this.#change(group, (state) => accountFor(state, group, costs));
      else this.#makeSpace(group, costs);
      await this.#pause();
    }
  }

  /** @returns whether all that need not be kept is gone: what is left is what the points cost. */
  async #keep(
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
        if (freed > 0) log.debug({ volume, freed, trimPosition: journal.trimPosition }, 'UNDO was let go of');
      }
      const bytes = await journal.undoBytesAfter(positions);
      for (const [i, position] of positions.entries()) {
        const point = named.get(position);
        if (point !== undefined) costs.set(point, (costs.get(point) ?? 0) + (bytes[i] ?? 0));
      }
      return isSettled;
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ err: error, volume }, 'UNDO could not be looked after');
      return false;
    }
  }

  /**
   * A position that was applied long enough ago; undefined while nothing is known from so long ago.
   */
  #settled(volume: VolumeId, journal: VolumeJournal): number | undefined {
    const atMs = this.#options.steadyMs();
    const looks = [...(this.#looks.get(volume) ?? []), { position: journal.applied.position, atMs }];
    const settled = looks.findLastIndex((look) => atMs - look.atMs >= this.#options.settledAfterMs);
    const kept = settled < 0 ? looks : looks.slice(settled);
    this.#looks.set(volume, kept);
    return settled < 0 ? undefined : kept[0]?.position;
  }

  /**
   * While a move out of its group runs, the cut of the other members was taken at the fence, and is
   * sealed who knows when.
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
   * What can't be stored is for the next round: UNDO that nothing stored needs is let go of all the
   * same, and makes room.
   */
  #change<Result>(group: GroupId, rule: (state: SiteState, now: SiteMoment) => Result): Result | undefined {
    try {
      return this.#options.site.change(rule);
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      this.#options.log.warn({ group, code: error.code, reason: error.message }, 'retention could not be stored');
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
    const dropped = this.#change(group, (state, now) => makeSpace(state, group, costs, now.ageMs, inUse())) ?? 0;
    if (dropped > 0) this.#droppedAtMs.set(group, this.#options.steadyMs());
    const { alert } = site.state.group(group).journal;
    if (alert !== undefined && alert.message !== before) log.warn({ group, dropped }, alert.message);
    if (alert === undefined && before !== undefined) log.info({ group }, 'the journal is well below its limit again');
  }

  async #pause(): Promise<void> {
    await nextTurn();
    this.#options.signal.throwIfAborted();
  }
}
