// One part of the world as a finite machine. A part is a real core in a small host; it can't be
// copied, so a state is kept as the shortest list of inputs that leads to it. Each transition runs
// the real code once; from then on it is a look-up. Few states of parts make up many states of the
// world.
import { fingerprint } from './fingerprint.js';

/** A real core in its host. Deterministic: the same inputs lead to the same state and outputs. */
export interface Part<Input, Output, View> {
  apply(input: Input): Output;
  /** Everything that future behaviour depends on. */
  readonly whole: unknown;
  /** What rules and promises look at. */
  view(): View;
}

/** An input and the text that stands for it. */
export interface Keyed {
  readonly key: string;
}

interface State<Input, View> {
  readonly view: View;
  readonly from: number;
  readonly input: Input | undefined;
}

export interface Step<Output> {
  readonly to: number;
  readonly output: Output;
}

export class Machine<Input extends Keyed, Output, View> {
  readonly initial: number;
  readonly #make: () => Part<Input, Output, View>;
  readonly #states: State<Input, View>[] = [];
  readonly #byFingerprint = new Map<string, number>();
  readonly #steps: Map<string, Step<Output>>[] = [];
  readonly #judge: (before: View | undefined, after: View) => void;

  /**
   * @param judge throws if a state, or the way from one state to the next, breaks a promise. It
   * sees each once.
   */
  constructor(make: () => Part<Input, Output, View>, judge: (before: View | undefined, after: View) => void) {
    this.#make = make;
    this.#judge = judge;
    this.initial = this.#intern(make(), -1, undefined);
  }

  get size(): number {
    return this.#states.length;
  }

  view(state: number): View {
    return this.#at(state).view;
  }

  step(state: number, input: Input): Step<Output> {
    const steps = this.#steps[state];
    const known = steps?.get(input.key);
    if (known !== undefined) return known;
    const part = this.#replay(state);
    const output = part.apply(input);
    const step = { to: this.#intern(part, state, input), output };
    this.#judge(this.view(state), this.view(step.to));
    steps?.set(input.key, step);
    return step;
  }

  #intern(part: Part<Input, Output, View>, from: number, input: Input | undefined): number {
    const text = fingerprint(part.whole);
    const known = this.#byFingerprint.get(text);
    if (known !== undefined) return known;
    const view = part.view();
    this.#judge(undefined, view);
    this.#byFingerprint.set(text, this.#states.length);
    this.#steps.push(new Map());
    return this.#states.push({ view, from, input }) - 1;
  }

  #replay(state: number): Part<Input, Output, View> {
    const inputs: Input[] = [];
    for (let at = state; ;) {
      const { from, input } = this.#at(at);
      if (input === undefined) break;
      inputs.push(input);
      at = from;
    }
    const part = this.#make();
    for (const input of inputs.toReversed()) part.apply(input);
    return part;
  }

  #at(state: number): State<Input, View> {
    const found = this.#states[state];
    if (found === undefined) throw new Error(`there is no state ${state}`);
    return found;
  }
}
