// A set of a batch's moves at one bit each: a million of them still fit into what goes from run to
// run.

const BITS = 32;

export class SeqSet {
  /** Bits by place; a place without bits is left out. */
  readonly #words = new Map<number, number>();
  #size = 0;
  /** No smaller place has bits. */
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

  /** The smallest one that is not below `from`. */
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

  /** Takes over all of the other set, which is empty afterwards. */
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
