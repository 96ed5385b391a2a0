// Breadth-first search over the world, so that the first broken promise has a shortest trace. Then
// a search backwards: every state must be able to become quiet.
import { Broken } from '../promises.js';
import type { Scenario } from '../scenario.js';
import { World, type WorldState } from '../world.js';

/** A broken promise, or a state that can't become quiet, with the shortest way there. */
export interface Finding {
  readonly what: string;
  readonly trace: readonly string[];
}

export interface Explored {
  readonly states: number;
  readonly transitions: number;
  /** Longest of the shortest ways to a state. */
  readonly depth: number;
  /** States where nothing goes on and all is as it should be. */
  readonly quiet: number;
  /** Whether every state that can be reached was visited. */
  readonly isWhole: boolean;
  /** States of the real cores. */
  readonly parts: World['sizes'];
  readonly finding?: Finding;
}

/** A list of numbers that grows; tens of millions fit. */
class Numbers {
  #all = new Int32Array(1 << 16);
  length = 0;

  push(value: number): void {
    if (this.length === this.#all.length) {
      const larger = new Int32Array(this.#all.length * 2);
      larger.set(this.#all);
      this.#all = larger;
    }
    this.#all[this.length] = value;
    this.length += 1;
  }

  at(index: number): number {
    return this.#all[index] ?? 0;
  }
}

export interface Limits {
  readonly statesMax: number;
}

/** @returns at the first broken promise, or once all states or the most allowed were visited */
export function explore(scenario: Scenario, { statesMax }: Limits): Explored {
  const search = new Search(scenario);
  return search.run(statesMax);
}

class Search {
  readonly #world: World;
  /** The states themselves, until they are expanded. */
  readonly #states: (WorldState | undefined)[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #parents = new Numbers();
  readonly #depths = new Numbers();
  readonly #from = new Numbers();
  readonly #to = new Numbers();
  /** Steps that need the mover to live, by the number of the step. */
  readonly #movers = new Numbers();
  /** Quiet states, and those in which the mover has ended too. */
  readonly #quiet = new Set<number>();
  readonly #ended = new Set<number>();

  constructor(scenario: Scenario) {
    this.#world = new World(scenario);
  }

  run(statesMax: number): Explored {
    this.#reach(this.#world.initial(), -1);
    let expanded = 0;
    while (expanded < this.#states.length && this.#states.length < statesMax) {
      const number = expanded;
      expanded += 1;
      const state = this.#states[number];
      if (state === undefined) continue;
      this.#states[number] = undefined;
      try {
        this.#world.expand(state, (_label, next, isMovers) => {
          const to = this.#reach(next, number);
          if (isMovers) this.#movers.push(this.#from.length);
          this.#from.push(number);
          this.#to.push(to);
        });
      } catch (error) {
        if (!(error instanceof Broken)) throw error;
        const { doing } = this.#world;
        const trace = [...this.#traceTo(number), doing];
        return this.#explored(false, { what: error.message, trace });
      }
    }
    const isWhole = expanded === this.#states.length;
    return this.#explored(isWhole, isWhole ? this.#stuck() : undefined);
  }

  #explored(isWhole: boolean, finding: Finding | undefined): Explored {
    const last = this.#states.length - 1;
    return {
      states: this.#states.length,
      transitions: this.#from.length,
      depth: this.#depths.at(last),
      quiet: this.#quiet.size,
      isWhole,
      parts: this.#world.sizes,
      ...(finding === undefined ? {} : { finding }),
    };
  }

  #reach(state: WorldState, parent: number): number {
    const key = this.#world.keyOf(state);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#states.length;
    this.#numbers.set(key, number);
    this.#states.push(state);
    this.#parents.push(parent);
    this.#depths.push(parent < 0 ? 0 : this.#depths.at(parent) + 1);
    if (this.#world.isQuiet(state)) {
      this.#quiet.add(number);
      if (this.#world.hasEnded(state)) this.#ended.add(number);
    }
    return number;
  }

  /** A state that can't become quiet without the mover, or from which the mover can't end. */
  #stuck(): Finding | undefined {
    const alone = this.#unable(this.#quiet, true);
    if (alone !== undefined)
      return { what: 'from here nothing becomes quiet if the mover dies', trace: this.#traceTo(alone) };
    const unended = this.#unable(this.#ended, false);
    if (unended === undefined) return undefined;
    return { what: 'from here the mover never ends in quiet', trace: this.#traceTo(unended) };
  }

  /** The first state from which no way leads to the goals, with or without steps of the mover. */
  #unable(goals: ReadonlySet<number>, isMoverDead: boolean): number | undefined {
    const excepted = new Uint8Array(isMoverDead ? this.#from.length : 0);
    if (isMoverDead) for (let i = 0; i < this.#movers.length; i += 1) excepted[this.#movers.at(i)] = 1;
    const count = this.#states.length;
    const starts = new Int32Array(count + 1);
    for (let i = 0; i < this.#to.length; i += 1)
      if (excepted[i] !== 1) starts[this.#to.at(i) + 1] = (starts[this.#to.at(i) + 1] ?? 0) + 1;
    for (let i = 0; i < count; i += 1) starts[i + 1] = (starts[i + 1] ?? 0) + (starts[i] ?? 0);
    const fill = starts.slice();
    const sources = new Int32Array(this.#from.length);
    for (let i = 0; i < this.#to.length; i += 1) {
      if (excepted[i] === 1) continue;
      const to = this.#to.at(i);
      const place = fill[to] ?? 0;
      sources[place] = this.#from.at(i);
      fill[to] = place + 1;
    }
    const able = new Uint8Array(count);
    const queue = [...goals];
    for (const goal of queue) able[goal] = 1;
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      for (let i = starts[next] ?? 0; i < (starts[next + 1] ?? 0); i += 1) {
        const source = sources[i] ?? 0;
        if (able[source] === 1) continue;
        able[source] = 1;
        queue.push(source);
      }
    }
    const unable = able.indexOf(0);
    return unable < 0 ? undefined : unable;
  }

  /** Labels of the steps to a state: made anew, since only a few are ever printed. */
  #traceTo(number: number): string[] {
    const path: number[] = [];
    for (let at = number; at >= 0; at = this.#parents.at(at)) path.push(at);
    const labels: string[] = [];
    let state = this.#world.initial();
    for (const [i, at] of path.toReversed().entries()) {
      if (i === 0) continue;
      let found: { readonly label: string; readonly next: WorldState } | undefined;
      try {
        this.#world.expand(state, (label, next) => {
          if (found === undefined && this.#numbers.get(this.#world.keyOf(next)) === at)
            found = { label: label(), next };
        });
      } catch (error) {
        if (!(error instanceof Broken)) throw error;
      }
      if (found === undefined) throw new Error('a way that was found is gone');
      labels.push(found.label);
      state = found.next;
    }
    return labels;
  }
}
