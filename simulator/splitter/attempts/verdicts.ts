// Asks for the verdicts of attempts whose fence outlived its lease: a dead orchestrator must not
// leave a volume fenced.
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Credentials } from '../../../control/credentials.js';
import { createApiClient } from '../../../control/client.js';
import { applianceApi } from '../../../contracts/appliance-api.js';
import { attemptName, ticketedName } from '../../../contracts/attempt.js';
import { MoverError } from '../../../contracts/errors.js';
import type { SplitterId, VolumeId } from '../../../contracts/ids.js';
import { Backoff } from '../shared/backoff.js';
import { monotonicMs } from '../shared/clock.js';
import type { AskedVerdict, PendingVerdict } from '../core/splitter-core.js';
import type { VolumeSplitRow } from '../core/volume-split.js';

/** Longest wait for one resolver's answer, in milliseconds. Then another is asked. */
const RESOLVE_MS_MAX = 3_000;
/** Longest delay of setTimeout, in milliseconds. A longer lease is looked at again then. */
const TIMER_MS_MAX = 2 ** 31 - 1;

interface Lease {
  /** Name of the attempt that raised the fence. */
  readonly attempt: string;
  /** When the lease ends, by the monotonic clock; Infinity while the verdict is being asked for. */
  readonly atMs: number;
}

export interface VerdictsOptions {
  readonly splitter: SplitterId;
  readonly credentials: Credentials | undefined;
  readonly log: Logger;
  /**
   * Lets leases run out and stores that.
   * @returns the attempts to ask about.
   * @throws MoverError when it can't be stored
   */
  readonly tick: () => readonly PendingVerdict[];
  /**
   * Learns and stores the verdict. Does nothing if the fence is gone.
   * @throws MoverError when it can't be stored: nothing is learned then
   */
  readonly learn: (pending: PendingVerdict, verdict: AskedVerdict) => void;
}

export class Verdicts {
  readonly #options: VerdictsOptions;
  readonly #stopping = new AbortController();
  readonly #leases = new Map<VolumeId, Lease>();
  /** Names of the attempts being asked for. */
  readonly #asking = new Set<string>();
  readonly #tickBackoff = new Backoff();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: VerdictsOptions) {
    this.#options = options;
  }

  /**
   * Takes note of the fence in a changed row, or of its absence.
   * @param leaseEndsAtMs end of its lease, by the monotonic clock
   */
  follow(row: VolumeSplitRow, leaseEndsAtMs: number | undefined): void {
    const { fence } = row;
    if (fence === undefined) this.#leases.delete(row.volume);
    else
      this.#leases.set(row.volume, {
        attempt: ticketedName(fence.attempt),
        atMs: fence.lapsed ? 0 : (leaseEndsAtMs ?? 0),
      });
    this.#arm();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#stopping.abort();
  }

  /** Sets a timer for the next lease to end, among those whose verdict is not being asked for. */
  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#leases.size === 0 || this.#stopping.signal.aborted) return;
    let nextMs = Infinity;
    for (const { atMs } of this.#leases.values()) nextMs = Math.min(nextMs, atMs);
    if (nextMs === Infinity) return;
    this.#timer = setTimeout(() => this.#check(), Math.min(TIMER_MS_MAX, Math.max(0, nextMs - monotonicMs())));
  }

  #check(): void {
    let due: readonly PendingVerdict[];
    try {
      due = this.#options.tick();
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      this.#options.log.warn({ err: error }, 'a lease that ran out could not be stored; it is tried again');
      this.#timer = setTimeout(() => this.#check(), this.#tickBackoff.next());
      return;
    }
    this.#tickBackoff.reset();
    for (const pending of due) {
      const attempt = ticketedName(pending.attempt);
      for (const volume of pending.volumes) this.#leases.set(volume, { attempt, atMs: Infinity });
      if (this.#asking.has(attempt)) continue;
      this.#asking.add(attempt);
      void this.#ask(pending);
    }
    this.#arm();
  }

  /**
   * Asks each resolver in turn, again and again, until the verdict is learned or not needed any
   * more.
   */
  async #ask(pending: PendingVerdict): Promise<void> {
    const { log } = this.#options;
    const backoff = new Backoff();
    const attempt = attemptName(pending.attempt);
    log.warn({ attempt, volumes: pending.volumes }, 'the lease of the fence ran out; asking for the verdict');
    let verdict: AskedVerdict | undefined;
    while (!this.#stopping.signal.aborted && this.#isAwaited(pending)) {
      verdict ??= await this.askOnce(pending, false);
      if (verdict !== undefined && this.#tryToLearn(pending, verdict)) {
        log.info({ attempt, verdict }, 'verdict received');
        break;
      }
      await pause(backoff.next(), undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    }
    this.#asking.delete(ticketedName(pending.attempt));
  }

  /**
   * Tries to learn a verdict. A verdict is final, so one that can't be stored now is not asked for
   * again.
   */
  #tryToLearn(pending: PendingVerdict, verdict: AskedVerdict): boolean {
    try {
      this.#options.learn(pending, verdict);
      return true;
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      const attempt = attemptName(pending.attempt);
      this.#options.log.warn({ err: error, attempt, verdict }, 'the verdict could not be stored; it is tried again');
      return false;
    }
  }

  #isAwaited(pending: PendingVerdict): boolean {
    const attempt = ticketedName(pending.attempt);
    return pending.volumes.some((volume) => this.#leases.get(volume)?.attempt === attempt);
  }

  /**
   * Asks each resolver once. Never rejects.
   * @param onlyIfExpired leaves an attempt open whose lease still runs.
   * @returns undefined for an open attempt, and when no resolver answers.
   */
  async askOnce(pending: PendingVerdict, onlyIfExpired: boolean): Promise<AskedVerdict | undefined> {
    const { splitter, credentials, log } = this.#options;
    const { move, n, ticket } = pending.attempt;
    for (const baseUrl of new Set([...pending.resolvers, pending.to.url])) {
      try {
        const appliance = createApiClient(applianceApi, { baseUrl, credentials, timeoutMs: RESOLVE_MS_MAX });
        const reason = onlyIfExpired
          ? `its lease ran out, and splitter ${splitter} still has its notice`
          : `the fence's lease ran out at splitter ${splitter}`;
        const { state } = await appliance.resolve(
          { attempt: { move, n }, ticket, reason, onlyIfExpired },
          { signal: this.#stopping.signal },
        );
        if (state !== 'OPEN') return state;
      } catch (error) {
        if (error instanceof MoverError && error.code === 'STALE_ATTEMPT') return 'FORGOTTEN';
        log.debug({ err: error, resolver: baseUrl }, 'no verdict');
      }
    }
    return undefined;
  }
}
