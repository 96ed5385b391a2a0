// Holds of a host: acknowledgements of some volumes are withheld for the instant of a cut over
// several splitters. Each hold is bounded and releases itself.
import type { VolumeId } from '../../../contracts/ids.js';

/** Answers that are remembered, so that a repeated confirm gets the same one. */
const ANSWERS_MAX = 1_024;

interface Hold {
  readonly volumes: ReadonlySet<VolumeId>;
  readonly expiresAtMs: number;
  /** Its place among all holds, in the order in which they were raised. */
  readonly order: number;
}

export class Holds {
  readonly #active = new Map<string, Hold>();
  readonly #answers = new Map<string, boolean>();
  #raised = 0;

  /** Count of the holds raised so far. */
  get raised(): number {
    return this.#raised;
  }

  /** Raises a hold. A key is used once: raising it again changes nothing. */
  raise(key: string, volumes: Iterable<VolumeId>, expiresAtMs: number): void {
    if (this.#active.has(key) || this.#answers.has(key)) return;
    this.#raised += 1;
    this.#active.set(key, { volumes: new Set(volumes), expiresAtMs, order: this.#raised });
  }

  /** Answers that a hold did not last, unless it is active or was answered in this life. */
  forgo(key: string): void {
    if (!this.#active.has(key) && !this.#answers.has(key)) this.#release(key, false);
  }

  /**
   * Releases a hold.
   * @returns whether it lasted without a gap until now; a repeated call gets the same answer.
   */
  confirm(key: string, nowMs: number): boolean {
    const answered = this.#answers.get(key);
    if (answered !== undefined) return answered;
    const hold = this.#active.get(key);
    const held = hold !== undefined && nowMs < hold.expiresAtMs;
    this.#release(key, held);
    return held;
  }

  /** Releases the holds whose time is over. */
  expire(nowMs: number): void {
    for (const [key, hold] of this.#active) if (hold.expiresAtMs <= nowMs) this.#release(key, false);
  }

  /**
   * Whether a hold is on the volume.
   * @param upTo counts only the first so many holds that were raised: a write that was numbered
   * before a later hold's cut is in that cut, and need not wait for it.
   */
  isHeld(volume: VolumeId, upTo = this.#raised): boolean {
    for (const { volumes, order } of this.#active.values()) if (order <= upTo && volumes.has(volume)) return true;
    return false;
  }

  /** End of the next hold to run out; undefined without holds. */
  get nextExpiryMs(): number | undefined {
    let next: number | undefined;
    for (const hold of this.#active.values())
      next = next === undefined ? hold.expiresAtMs : Math.min(next, hold.expiresAtMs);
    return next;
  }

  #release(key: string, held: boolean): void {
    this.#active.delete(key);
    this.#answers.set(key, held);
    const oldest = this.#answers.size > ANSWERS_MAX ? this.#answers.keys().next().value : undefined;
    if (oldest !== undefined) this.#answers.delete(oldest);
  }
}
