// Numbers for values, so that a state of the world is a short list of numbers.

export class Interned<T> {
  readonly #keyOf: (value: T) => string;
  readonly #values: T[] = [];
  readonly #byKey = new Map<string, number>();

  constructor(keyOf: (value: T) => string) {
    this.#keyOf = keyOf;
  }

  get size(): number {
    return this.#values.length;
  }

  of(value: T): number {
    const key = this.#keyOf(value);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    this.#byKey.set(key, this.#values.length);
    return this.#values.push(value) - 1;
  }

  at(number: number): T {
    const found = this.#values[number];
    if (found === undefined) throw new Error(`nothing has the number ${number}`);
    return found;
  }
}

/** Sets of numbers that only grow, with a number for each set. */
export class Sets {
  readonly #sets = new Interned<readonly number[]>((members) => members.join());
  /** The set with one more member, by set and member. */
  readonly #grown = new Map<string, number>();
  readonly empty = this.#sets.of([]);

  members(set: number): readonly number[] {
    return this.#sets.at(set);
  }

  of(members: readonly number[]): number {
    return this.#sets.of(members);
  }

  with(set: number, member: number): number {
    const key = `${set} ${member}`;
    const known = this.#grown.get(key);
    if (known !== undefined) return known;
    const members = this.#sets.at(set);
    const grown = members.includes(member) ? set : this.#sets.of([...members, member].toSorted((a, b) => a - b));
    this.#grown.set(key, grown);
    return grown;
  }
}
