// One hypervisor host: its volumes, and the control calls that concern several of them at one instant. All or none of a call's volumes change.
import type { Cut, Endpoint, TicketedAttempt, Verdict } from '../../../contracts/attempt.js';
import { attemptName } from '../../../contracts/attempt.js';
import type { ClockDoubt } from '../../../contracts/clock.js';
import { MoverError } from '../../../contracts/errors.js';
import type { SplitterId, VolumeId } from '../../../contracts/ids.js';
import type { OutputOf, ParsedInputOf } from '../../../contracts/route.js';
import type { splitterApi } from '../../../contracts/splitter-api.js';
import type { Moment } from '../../../control/clock/clock.js';
import { Holds } from './holds.js';
import { SplitIndex } from './split-index.js';
import type { VolumeSplit, VolumeSplitRow } from './volume-split.js';

type Api = typeof splitterApi;

/** A fence whose verdict must be asked for, at any of the resolvers. */
export interface PendingVerdict {
  readonly attempt: TicketedAttempt;
  readonly volumes: readonly VolumeId[];
  readonly resolvers: readonly string[];
  readonly to: Endpoint;
}

export class SplitterCore {
  readonly holds = new Holds();
  readonly #splitter: SplitterId;
  readonly #volumes: ReadonlyMap<VolumeId, VolumeSplit>;
  readonly #index: SplitIndex;
  /**
   * Where the other members stood when a fence was raised, by ticket: a repeated call must not give a later instant.
   * Lost with the process; then none are given.
   */
  readonly #others = new Map<number, readonly Cut[]>();

  constructor(splitter: SplitterId, volumes: Iterable<VolumeSplit>) {
    this.#splitter = splitter;
    this.#volumes = new Map([...volumes].map((split) => [split.volume, split]));
    this.#index = new SplitIndex(this.#volumes.values());
  }

  get volumes(): IterableIterator<VolumeSplit> {
    return this.#volumes.values();
  }

  /** @throws MoverError VOLUME_NOT_FOUND */
  volume(id: VolumeId): VolumeSplit {
    const split = this.#volumes.get(id);
    if (split === undefined)
      throw new MoverError('VOLUME_NOT_FOUND', `Splitter ${this.#splitter} has no volume "${id}".`);
    return split;
  }

  has(id: VolumeId): boolean {
    return this.#volumes.has(id);
  }

  /** The rows that changed since the last call, to be stored in one transaction, also when the call was refused. */
  takeRows(): VolumeSplitRow[] {
    return this.#index.takeRows();
  }

  inventory(input: ParsedInputOf<Api['inventory']>): OutputOf<Api['inventory']> {
    const chosen = input.volume === undefined ? [...this.#volumes.values()] : [this.volume(input.volume)];
    return { splitter: this.#splitter, volumes: chosen.map((split) => split.describe()) };
  }

  /** @throws MoverError VOLUME_NOT_FOUND, ATTEMPT_ABORTED, ATTEMPT_COMMITTED, STALE_ATTEMPT, PENDING_VERDICT, EPOCH_MISMATCH */
  notify(input: ParsedInputOf<Api['notify']>): OutputOf<Api['notify']> {
    const splits = input.volumes.map((bound) => ({ bound, split: this.volume(bound.volume) }));
    for (const { bound, split } of splits) split.checkNotify(input.attempt, bound, input.from);
    const { attempt, from, to, resolvers } = input;
    for (const { split } of splits) split.notify({ attempt, from, to, resolvers });
    return { volumes: splits.map(({ split }) => split.describe()) };
  }

  /** @throws MoverError as VolumeSplit.checkFence */
  fence(input: ParsedInputOf<Api['fence']>, now: Moment): OutputOf<Api['fence']> {
    const splits = input.volumes.map((id) => this.volume(id));
    for (const split of splits) split.checkFence(input.attempt);
    if (input.holdMs > 0) this.holds.raise(attemptName(input.attempt), input.volumes, now.monotonicMs + input.holdMs);
    const fenced = splits.map((split) => split.fence(input.attempt, input.leaseMs, now));
    if (!fenced.some(({ repeated }) => repeated)) this.#others.set(input.attempt.ticket, this.#standingOthers(splits));
    return {
      cuts: fenced.map(({ volume, session, n }) => ({ volume, session, n })),
      others: [...(this.#others.get(input.attempt.ticket) ?? [])],
      atMs: Math.max(...fenced.map(({ atMs }) => atMs)),
      ...doubtOf(fenced.find(({ doubt }) => doubt !== undefined)?.doubt),
    };
  }

  /** The other members, of the same groups, at this instant. */
  #standingOthers(splits: readonly VolumeSplit[]): Cut[] {
    const groups = new Set(splits.map((split) => split.row.route.group));
    return [...groups]
      .flatMap((group) => this.#index.membersOf(group))
      .filter((split) => !splits.includes(split))
      .flatMap((split) => {
        const standing = split.standing();
        return 'reason' in standing ? [] : [{ volume: standing.volume, session: standing.session, n: standing.n }];
      });
  }

  confirm(input: ParsedInputOf<Api['confirm']>, monotonicMs: number): OutputOf<Api['confirm']> {
    return { held: this.holds.confirm(attemptName(input.attempt), monotonicMs) };
  }

  /** @throws MoverError NOT_FENCED when no volume here is fenced by the attempt; as VolumeSplit.renew otherwise */
  renew(input: ParsedInputOf<Api['renew']>, monotonicMs: number): OutputOf<Api['renew']> {
    const fenced = this.#index.fenced().filter((split) => split.row.fence?.attempt.ticket === input.attempt.ticket);
    if (fenced.length === 0)
      throw new MoverError(
        'NOT_FENCED',
        `Splitter ${this.#splitter} has no fence of attempt ${attemptName(input.attempt)}.`,
      );
    const granted = fenced.map((split) => split.renew(input.attempt, input.leaseMs, monotonicMs));
    return { leaseMs: Math.min(...granted) };
  }

  /** @throws MoverError as VolumeSplit.checkLearn */
  learn(
    input: ParsedInputOf<Api['learn']>,
    wallMs: number,
  ): OutputOf<Api['learn']> & { readonly rerouted: readonly VolumeSplit[] } {
    const splits = input.volumes.map((bound) => ({ bound, split: this.volume(bound.volume) }));
    for (const { bound, split } of splits) split.checkLearn(input.attempt, input.verdict, bound);
    const rerouted = splits
      .filter(({ bound, split }) => split.learn(input.attempt, input.verdict, bound, input.to, wallMs))
      .map(({ split }) => split);
    this.#others.delete(input.attempt.ticket);
    const learned = splits.flatMap(({ split }) => split.learned(input.attempt) ?? []);
    return { volumes: splits.map(({ split }) => split.describe()), learned, rerouted };
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
      const standing = split.standing();
      if ('reason' in standing) leftOut.push(standing);
      else cuts.push(standing);
    }
    return { cuts, leftOut, atMs: now.wallMs, ...doubtOf(now.doubt) };
  }

  confirmCut(input: ParsedInputOf<Api['confirmCut']>, monotonicMs: number): OutputOf<Api['confirmCut']> {
    return { held: this.holds.confirm(input.round, monotonicMs) };
  }

  /** Lets holds run out and finds the fences whose verdict must be asked for, one entry an attempt. */
  tick(monotonicMs: number): PendingVerdict[] {
    this.holds.expire(monotonicMs);
    const pending = new Map<number, PendingVerdict>();
    for (const split of this.#index.fenced()) {
      if (!split.lapse(monotonicMs)) continue;
      const { fence, notice } = split.row;
      if (fence === undefined || notice === undefined) continue;
      const known = pending.get(fence.attempt.ticket);
      pending.set(fence.attempt.ticket, {
        attempt: fence.attempt,
        volumes: [...(known?.volumes ?? []), split.volume],
        resolvers: notice.resolvers,
        to: notice.to,
      });
    }
    return [...pending.values()];
  }

  /** The verdict that this splitter asked for by itself. */
  learnPending(pending: PendingVerdict, verdict: Verdict, wallMs: number): readonly VolumeSplit[] {
    const volumes = pending.volumes.map((volume) => ({
      volume,
      splitter: this.#splitter,
      epoch: this.volume(volume).row.route.epoch,
    }));
    return this.learn({ attempt: pending.attempt, verdict, volumes, to: pending.to }, wallMs).rerouted;
  }
}

function doubtOf(doubt: ClockDoubt | undefined): { readonly doubt?: ClockDoubt } {
  return doubt === undefined ? {} : { doubt };
}
