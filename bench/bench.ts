// What a benchmark is, and what it leaves behind: goals that are met or not, the numbers they come
// from, and what was not measured.

export interface Goal {
  /** @example "protected ÷ QEMU mirror, depth 32" */
  readonly name: string;
  /**
   * Rounded to three decimals towards missing the goal, so that what is printed is what was judged.
   */
  readonly value: number;
  readonly goal: number;
  /** On which side of `goal` the value has to be; the goal itself is met. */
  readonly bound: 'at least' | 'at most';
  readonly met: boolean;
}

export interface Table {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface BenchResult {
  readonly goals: readonly Goal[];
  /** Beyond the goals: where it should get to one day. */
  readonly stretch: readonly Goal[];
  /** For people. */
  readonly table: Table;
  /** For people, of a benchmark that measures several things: shown after `table`. */
  readonly furtherTables?: readonly Table[];
  /** Every single measurement and the medians, as JSON. */
  readonly raw: Readonly<Record<string, unknown>>;
  /** Sentences: sizes, durations, settings of product and peers. */
  readonly conditions: readonly string[];
  /** Sentences. */
  readonly notMeasured: readonly string[];
  /** Name of a program to its version. */
  readonly versions: Readonly<Record<string, string>>;
}

export interface BenchRun {
  /** Of the run's own, empty, removed afterwards. */
  readonly folder: string;
  /** How often product and peers are measured in turn. */
  readonly repetitions: number;
  /**
   * For benchmarks that measure at several sizes: numbers of volumes, ascending; absent: the
   * benchmark's own.
   */
  readonly volumes?: readonly number[] | undefined;
  /** Gets a line about what goes on now. */
  readonly say: (line: string) => void;
  /** Where CPU profiles of the product's processes go; absent: none are taken. */
  readonly profileFolder: string | undefined;
}

export interface Bench {
  readonly name: string;
  readonly summary: string;
  readonly repetitions: number;
  readonly run: (run: BenchRun) => Promise<BenchResult>;
}

const THOUSANDTHS = 1_000;

/** A goal for a ratio: met when the value is at least `goal`. */
export function atLeast(name: string, ratio: number, goal: number): Goal {
  const value = Math.floor(ratio * THOUSANDTHS) / THOUSANDTHS;
  return { name, value, goal, bound: 'at least', met: value >= goal };
}

/** A goal for what should be small: met when the value is at most `goal`. */
export function atMost(name: string, measured: number, goal: number): Goal {
  const value = Math.ceil(measured * THOUSANDTHS) / THOUSANDTHS;
  return { name, value, goal, bound: 'at most', met: value <= goal };
}
