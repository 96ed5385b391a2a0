// A set of move numbers as a bitmap. A million moves still fit into the state passed from run to
// run.

const BITS = 32;

export class SeqSet {
  /** 32-bit words by index; absent when zero. */
  readonly #words = new Map<number, number>();
  #size = 0;
  /** Lower bound of the index of the first non-zero word. */
  #lowest = Number.MAX_SAFE_INTEGER;
  #highest = -1;

  static from(words: readonly (readonly [number, number])[]): SeqSet {
    const set = new SeqSet();
    for (const [place, bits] of words)
      for (let bit = 0; bit < BITS; bit += 1) if ((bits >>> bit) & 1) set.add(place * BITS + bit);
    return set;
  }

  get size(): number {
    return this.#size;
  }

  has(seq: number): boolean {
    return (((this.#words.get(Math.floor(seq / BITS)) ?? 0) >>> (seq % BITS)) & 1) === 1;
  }

  add(seq: number): void {
    if (this.has(seq)) return;
    const place = Math.floor(seq / BITS);
    this.#words.set(place, ((this.#words.get(place) ?? 0) | (1 << (seq % BITS))) >>> 0);
    this.#size += 1;
    this.#lowest = Math.min(this.#lowest, place);
    this.#highest = Math.max(this.#highest, place);
  }

  delete(seq: number): boolean {
    if (!this.has(seq)) return false;
    const place = Math.floor(seq / BITS);
    const bits = ((this.#words.get(place) ?? 0) & ~(1 << (seq % BITS))) >>> 0;
    if (bits === 0) this.#words.delete(place);
    else this.#words.set(place, bits);
    this.#size -= 1;
    return true;
  }

  /** The smallest member that is not below `from`. */
  first(from = 0): number | undefined {
    for (let place = Math.max(this.#lowest, Math.floor(from / BITS)); place <= this.#highest; place += 1) {
      const bits = this.#words.get(place);
      if (bits === undefined) {
        if (place === this.#lowest) this.#lowest = place + 1;
        continue;
      }
      for (let bit = 0; bit < BITS; bit += 1) {
        const seq = place * BITS + bit;
        if (seq >= from && (bits >>> bit) & 1) return seq;
      }
    }
    return undefined;
  }

  /** Moves all members of the other set into this one; the other is empty afterwards. */
  take(other: SeqSet): void {
    for (let seq = other.first(); seq !== undefined; seq = other.first()) {
      other.delete(seq);
      this.add(seq);
    }
  }

  toJSON(): [number, number][] {
    return [...this.#words].sort(([a], [b]) => a - b);
  }
}
