// One hypervisor host: its volumes, and the control calls that concern several of them. A call's
// changes are stored before anybody can see them. All or none of a call's volumes change, except
// that each learns a verdict by itself.
import type { Cut, Endpoint, TicketedAttempt, Verdict } from '../../../contracts/attempt.js';
import { attemptName, isSameAttempt, ticketedName } from '../../../contracts/attempt.js';
import type { ClockDoubt } from '../../../contracts/clock.js';
import { MoverError } from '../../../contracts/errors.js';
import type { SplitterId, VolumeId } from '../../../contracts/ids.js';
import type { LifeId, SourceId } from '../../../contracts/lineage.js';
import type { OutputOf, ParsedInputOf } from '../../../contracts/route.js';
import type { splitterApi, UnusableVolume } from '../../../contracts/splitter-api.js';
import type { Moment } from '../../../control/clock/clock.js';
import { Holds } from './holds.js';
import { SplitIndex } from './split-index.js';
import type { VolumeSplit, VolumeSplitRow } from './volume-split.js';

type Api = typeof splitterApi;

/** An attempt whose verdict must be asked for, at any of the resolvers. */
export interface PendingVerdict {
  readonly attempt: TicketedAttempt;
  readonly volumes: readonly VolumeId[];
  readonly resolvers: readonly string[];
  readonly to: Endpoint;
}

/**
 * An answer to the question for a verdict. FORGOTTEN: the attempt is over, and nobody knows how.
 */
export type AskedVerdict = Verdict | 'FORGOTTEN';

export interface SplitterCoreOptions {
  readonly splitter: SplitterId;
  readonly life: LifeId;
  readonly volumes: Iterable<VolumeSplit>;
  /** Volumes that are left out, and why. */
  readonly unusable?: ReadonlyMap<VolumeId, UnusableVolume>;
  /**
   * Stores changed rows, all or none.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED: then nothing has changed
   */
  readonly store: (rows: readonly VolumeSplitRow[]) => void;
  /** Called with rows once they are stored and in force. */
  readonly onStored?: (rows: readonly VolumeSplitRow[]) => void;
}

export class SplitterCore {
  readonly holds = new Holds();
  readonly #splitter: SplitterId;
  readonly #life: LifeId;
  readonly #volumes: Map<VolumeId, VolumeSplit>;
  readonly #unusable: ReadonlyMap<VolumeId, UnusableVolume>;
  readonly #index: SplitIndex;
  readonly #store: SplitterCoreOptions['store'];
  readonly #onStored: SplitterCoreOptions['onStored'];
  /**
   * Cuts of the other members when a fence was raised, by attempt: a repeated call must not give a
   * later instant. Lost with the process; then none are given.
   */
  readonly #others = new Map<string, readonly Cut[]>();

  constructor({ splitter, life, volumes, unusable = new Map(), store, onStored }: SplitterCoreOptions) {
    this.#splitter = splitter;
    this.#life = life;
    this.#unusable = unusable;
    this.#store = store;
    this.#onStored = onStored;
    this.#volumes = new Map([...volumes].map((split) => [split.volume, split]));
    this.#index = new SplitIndex(this.#volumes.values());
  }

  get volumes(): IterableIterator<VolumeSplit> {
    return this.#volumes.values();
  }

  /** Volumes with a fence, of any attempt. */
  get fenced(): readonly VolumeSplit[] {
    return this.#index.fenced();
  }

  /** Adds a volume whose row is stored. */
  add(split: VolumeSplit): void {
    this.#volumes.set(split.volume, split);
    this.#index.add(split);
  }

  /** Takes a volume out that is stored as retired. */
  remove(split: VolumeSplit): void {
    this.#volumes.delete(split.volume);
    this.#index.remove(split);
  }

  /** @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE */
  volume(id: VolumeId): VolumeSplit {
    const split = this.#volumes.get(id);
    if (split === undefined) throw this.missing(id);
    return split;
  }

  /**
   * The error for a volume that is not served: VOLUME_UNUSABLE when it is left out, else
   * VOLUME_NOT_FOUND.
   */
  missing(id: VolumeId): MoverError {
    const unusable = this.#unusable.get(id);
    return unusable === undefined
      ? new MoverError('VOLUME_NOT_FOUND', `Splitter ${this.#splitter} has no volume "${id}".`)
      : new MoverError('VOLUME_UNUSABLE', unusable.reason);
  }

  has(id: VolumeId): boolean {
    return this.#volumes.has(id);
  }

  /**
   * Runs a call and stores the rows it changed. A refused call may have changed some too (a fence
   * lapses): those are stored.
   */
  #change<T>(call: () => T): T {
    let result: T;
    try {
      result = call();
    } catch (error) {
      if (error instanceof MoverError) this.#publish();
      else this.#index.undo();
      throw error;
    }
    this.#publish();
    return result;
  }

  #publish(): void {
    const rows = this.#index.changedRows();
    if (rows.length === 0) return;
    try {
      this.#store(rows);
    } catch (error) {
      this.#index.undo();
      throw error;
    }
    this.#index.settle();
    this.#onStored?.(rows);
  }

  inventory(input: ParsedInputOf<Api['inventory']>): OutputOf<Api['inventory']> {
    const chosen = input.volume === undefined ? [...this.#volumes.values()] : [this.volume(input.volume)];
    const unusable = input.volume === undefined ? [...this.#unusable.values()] : [];
    return {
      splitter: this.#splitter,
      volumes: chosen.map((split) => split.describe()),
      ...(unusable.length === 0 ? {} : { unusable }),
    };
  }

  /**
   * @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE, STORAGE_FULL, STORAGE_FAILED; else as
   * VolumeSplit.checkNotify
   */
  notify(input: ParsedInputOf<Api['notify']>): OutputOf<Api['notify']> {
    const splits = input.volumes.map((bound) => ({ bound, split: this.volume(bound.volume) }));
    const { attempt, from, to, resolvers } = input;
    this.#change(() => {
      for (const { bound, split } of splits) split.checkNotify(attempt, bound, from);
      for (const { split } of splits) split.notify({ attempt, from, to, resolvers });
    });
    return { volumes: splits.map(({ split }) => split.describe()) };
  }

  /**
   * @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE, STORAGE_FULL, STORAGE_FAILED; else as
   * VolumeSplit.checkFence
   */
  fence(input: ParsedInputOf<Api['fence']>, now: Moment): OutputOf<Api['fence']> {
    const splits = input.volumes.map((id) => this.volume(id));
    for (const split of splits) split.checkFence(input.attempt);
    const fenced = this.#change(() => splits.map((split) => split.fence(input.attempt, input.leaseMs, now)));
    const isFirst = !fenced.some(({ repeated }) => repeated);
    const key = attemptName(input.attempt);
    // Another life's hold ended with it: acknowledgements may have passed behind that cut.
    if (!isFirst) this.holds.forgo(key);
    else if (input.holdMs > 0) this.holds.raise(key, input.volumes, now.monotonicMs + input.holdMs);
    if (isFirst) this.#others.set(ticketedName(input.attempt), this.#cutsOfOthers(splits));
    return {
      cuts: fenced.map(({ volume, session, n }) => ({ volume, session, n })),
      others: [...(this.#others.get(ticketedName(input.attempt)) ?? [])],
      life: this.#life,
      atMs: Math.max(...fenced.map(({ atMs }) => atMs)),
      ...doubtOf(fenced.find(({ doubt }) => doubt !== undefined)?.doubt),
    };
  }

  /** Cuts of the groups' other members now. */
  #cutsOfOthers(splits: readonly VolumeSplit[]): Cut[] {
    const groups = new Set(splits.map((split) => split.row.route.group));
    return [...groups]
      .flatMap((group) => this.#index.membersOf(group))
      .filter((split) => !splits.includes(split))
      .flatMap((split) => {
        const cut = split.standing();
        return 'reason' in cut ? [] : [{ volume: cut.volume, session: cut.session, n: cut.n }];
      });
  }

  confirm(input: ParsedInputOf<Api['confirm']>, monotonicMs: number): OutputOf<Api['confirm']> {
    return { held: this.#confirmHold(attemptName(input.attempt), input.life, monotonicMs) };
  }

  /**
   * @throws MoverError NOT_FENCED when the attempt fences no volume here; STORAGE_FULL,
   * STORAGE_FAILED; else as VolumeSplit.renew
   */
  renew(input: ParsedInputOf<Api['renew']>, monotonicMs: number): OutputOf<Api['renew']> {
    const fenced = this.#index.fenced().filter((split) => isSameAttempt(split.row.fence?.attempt, input.attempt));
    if (fenced.length === 0)
      throw new MoverError(
        'NOT_FENCED',
        `Splitter ${this.#splitter} has no fence of attempt ${attemptName(input.attempt)}.`,
      );
    const granted = this.#change(() => fenced.map((split) => split.renew(input.attempt, input.leaseMs, monotonicMs)));
    return { leaseMs: Math.min(...granted) };
  }

  /**
   * Tells each volume the verdict. One that refuses it, or is not here, does not keep the others
   * from it.
   * @throws MoverError as VolumeSplit.checkLearn, VOLUME_NOT_FOUND, VOLUME_UNUSABLE: the first
   * refusal, once all others have learned; STORAGE_FULL, STORAGE_FAILED: then none has learned
   */
  learn(input: ParsedInputOf<Api['learn']>, wallMs: number): OutputOf<Api['learn']> {
    const { attempt, verdict, to } = input;
    const splits: VolumeSplit[] = [];
    const refusals: MoverError[] = [];
    this.#change(() => {
      for (const bound of input.volumes) {
        try {
          const split = this.volume(bound.volume);
          split.checkLearn(attempt, verdict, bound);
          split.learn(attempt, verdict, bound, to, wallMs);
          splits.push(split);
        } catch (error) {
          if (!(error instanceof MoverError)) throw error;
          refusals.push(error);
        }
      }
    });
    this.#forgetOthers(attempt);
    const [refusal] = refusals;
    if (refusal !== undefined) throw refusal;
    const learned = splits.flatMap((split) => split.learned(attempt) ?? []);
    return { volumes: splits.map((split) => split.describe()), learned };
  }

  /** Forgets the cuts of an attempt that fences nothing here any more. */
  #forgetOthers(attempt: TicketedAttempt): void {
    if (!this.#index.fenced().some((split) => isSameAttempt(split.row.fence?.attempt, attempt)))
      this.#others.delete(ticketedName(attempt));
  }

  /**
   * Follows the replica site's word about the volume's owner.
   * @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE, STORAGE_FULL, STORAGE_FAILED
   */
  reroute(volume: VolumeId, route: Endpoint & { readonly epoch: number }): void {
    this.#change(() => this.volume(volume).reroute(route));
  }

  /** @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE, STORAGE_FULL, STORAGE_FAILED */
  replaceSource(volume: VolumeId, source: SourceId): void {
    this.#change(() => this.volume(volume).replaceSource(source));
  }

  /**
   * Changes rows, all or none, for reasons of this host's own.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED
   */
  changeRows(volumes: Iterable<VolumeId>, change: (split: VolumeSplit) => void): void {
    this.#change(() => {
      for (const id of volumes) change(this.volume(id));
    });
  }

  cut(input: ParsedInputOf<Api['cut']>, now: Moment): OutputOf<Api['cut']> {
    const members = this.#index.membersOf(input.group);
    if (input.holdMs > 0)
      this.holds.raise(
        input.round,
        members.map((split) => split.volume),
        now.monotonicMs + input.holdMs,
      );
    const cuts: OutputOf<Api['cut']>['cuts'] = [];
    const leftOut: OutputOf<Api['cut']>['leftOut'] = [];
    for (const split of members) {
      const cut = split.standing();
      if ('reason' in cut) leftOut.push(cut);
      else cuts.push(cut);
    }
    return { cuts, leftOut, life: this.#life, atMs: now.wallMs, ...doubtOf(now.doubt) };
  }

  confirmCut(input: ParsedInputOf<Api['confirmCut']>, monotonicMs: number): OutputOf<Api['confirmCut']> {
    return { held: this.#confirmHold(input.round, input.life, monotonicMs) };
  }

  /** Releases a hold. @returns whether it lasted since the cut that `life` answered */
  #confirmHold(key: string, life: LifeId | undefined, monotonicMs: number): boolean {
    const held = this.holds.confirm(key, monotonicMs);
    return held && (life === undefined || life === this.#life);
  }

  /**
   * Lets holds and leases run out.
   * @returns the fences whose verdict must be asked for, one entry an attempt.
   */
  tick(monotonicMs: number): PendingVerdict[] {
    this.holds.expire(monotonicMs);
    const pending = new Map<string, PendingVerdict>();
    const fenced = this.#index.fenced();
    const lapsed = this.#change(() => fenced.filter((split) => split.lapse(monotonicMs)));
    for (const split of lapsed) {
      const { fence, notice } = split.row;
      if (fence === undefined || notice === undefined) continue;
      const name = ticketedName(fence.attempt);
      const known = pending.get(name);
      pending.set(name, {
        attempt: fence.attempt,
        volumes: [...(known?.volumes ?? []), split.volume],
        resolvers: notice.resolvers,
        to: notice.to,
      });
    }
    return [...pending.values()];
  }

  /**
   * Announced moves without a fence here, one entry an attempt: their orchestrators may be gone.
   */
  announced(): PendingVerdict[] {
    const announced = new Map<string, PendingVerdict>();
    for (const split of this.#volumes.values()) {
      const { fence, notice } = split.row;
      if (fence !== undefined || notice === undefined) continue;
      const { attempt, resolvers, to } = notice;
      const name = ticketedName(attempt);
      const known = announced.get(name);
      announced.set(name, { attempt, volumes: [...(known?.volumes ?? []), split.volume], resolvers, to });
    }
    return [...announced.values()];
  }

  /**
   * Learns a verdict that this splitter asked for by itself. If the replica site has forgotten the
   * attempt, its fence and notice are lifted without one.
   */
  learnPending(pending: PendingVerdict, verdict: AskedVerdict, wallMs: number): void {
    if (verdict === 'FORGOTTEN') {
      this.#change(() => {
        for (const volume of pending.volumes) this.volume(volume).letGo(pending.attempt);
      });
      this.#forgetOthers(pending.attempt);
      return;
    }
    const volumes = pending.volumes.map((volume) => ({
      volume,
      splitter: this.#splitter,
      epoch: this.volume(volume).row.route.epoch,
    }));
    this.learn({ attempt: pending.attempt, verdict, volumes, to: pending.to }, wallMs);
  }
}

function doubtOf(doubt: ClockDoubt | undefined): { readonly doubt?: ClockDoubt } {
  return doubt === undefined ? {} : { doubt };
}
