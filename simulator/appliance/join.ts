// The end of a move at the new group: the first recovery point that contains every moved volume
// gets the "joined" bookmark.
import type { AttemptRecord, AttemptRef } from '../../contracts/attempt.js';
import { attemptName } from '../../contracts/attempt.js';
import { MoverError } from '../../contracts/errors.js';
import { refuseMovedAgain } from './core/moved-again.js';
import type { Ownership } from './ownership.js';
import type { Rounds } from './rounds.js';
import type { SiteClient } from './site-client.js';

/**
 * Longest wait of such a point for members that are behind, ms. Shorter than the caller's time-out;
 * the call is repeated.
 */
const WAIT_MS = 4_000;
/**
 * Shortest time between two points that lacked a moved volume, ms. Each one pushes an older point
 * out of the group's history.
 */
const FRUITLESS_EVERY_MS = 2_000;
/** Most attempts whose last fruitless point is remembered. */
const FRUITLESS_KEPT_MAX = 1_000;

export class Join {
  readonly #site: Pick<SiteClient, 'call' | 'volumes'>;
  readonly #rounds: Pick<Rounds, 'close'>;
  readonly #ownership: Pick<Ownership, 'require'>;
  readonly #fruitlessAtMs = new Map<string, number>();

  constructor(
    site: Pick<SiteClient, 'call' | 'volumes'>,
    rounds: Pick<Rounds, 'close'>,
    ownership: Pick<Ownership, 'require'>,
  ) {
    this.#site = site;
    this.#rounds = rounds;
    this.#ownership = ownership;
  }

  /**
   * Closes a point with the moved volumes and sets the "joined" bookmark. To be repeated until it
   * is set.
   * @returns the record, with `joined` once the bookmark is set
   * @throws MoverError NOT_OWNER, NOT_COMMITTED, STALE_ATTEMPT, UNREACHABLE, LINK_DOWN
   */
  async join(attempt: AttemptRef, signal: AbortSignal): Promise<AttemptRecord> {
    const group = await this.#ownership.require('to', attempt, signal);
    const record = await this.#site.call('get', { move: attempt.move, n: attempt.n }, signal);
    if (record.joined !== undefined) return record;
    if (record.state !== 'COMMITTED' || group === undefined)
      throw new MoverError('NOT_COMMITTED', `Attempt ${attemptName(attempt)} is ${record.state}.`);
    const nowMs = performance.now();
    if (nowMs - (this.#fruitlessAtMs.get(attemptName(attempt)) ?? Number.NEGATIVE_INFINITY) < FRUITLESS_EVERY_MS)
      return record;
    const mustHave = record.contents?.volumes.map((bound) => bound.volume);
    const point = await this.#rounds.close({ group, kind: 'demand', waitMs: WAIT_MS, mustHave, signal });
    if (point === undefined) {
      refuseMovedAgain(record, await this.#site.volumes({ group }, signal));
      return record;
    }
    const joined = await this.#site.call('join', { attempt, point: point.id }, signal);
    if (joined.joined === undefined) this.#noteFruitless(attemptName(attempt), nowMs);
    else this.#fruitlessAtMs.delete(attemptName(attempt));
    return joined;
  }

  #noteFruitless(name: string, nowMs: number): void {
    if (this.#fruitlessAtMs.size >= FRUITLESS_KEPT_MAX) this.#fruitlessAtMs.clear();
    this.#fruitlessAtMs.set(name, nowMs);
  }
}
