// What a benchmark is, and what it reports: goals met or not, their measurements, and what was not
// measured.

export interface Goal {
  /** @example "protected ÷ QEMU mirror, depth 32" */
  readonly name: string;
  /** Rounded to three decimals towards missing the goal: the printed value is the judged one. */
  readonly value: number;
  readonly goal: number;
  /** The side of `goal` on which the value has to be; the goal itself counts as met. */
  readonly bound: 'at least' | 'at most';
  readonly met: boolean;
}

export interface Table {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface BenchResult {
  readonly goals: readonly Goal[];
  /** Goals beyond `goals`, to be reached one day. */
  readonly stretch: readonly Goal[];
  /** Table for people. */
  readonly table: Table;
  /** More tables for people, shown after `table`, when a benchmark measures several things. */
  readonly furtherTables?: readonly Table[];
  /** Every single measurement and the medians, as JSON. */
  readonly raw: Readonly<Record<string, unknown>>;
  /** Sentences: sizes, durations, settings of product and peers. */
  readonly conditions: readonly string[];
  /** What was not measured, in sentences. */
  readonly notMeasured: readonly string[];
  /** Versions, keyed by program name. */
  readonly versions: Readonly<Record<string, string>>;
}

export interface BenchRun {
  /** The run's own folder: empty at first, removed afterwards. */
  readonly folder: string;
  /** How often product and peers are measured, taking turns. */
  readonly repetitions: number;
  /** Numbers of volumes, ascending, for benchmarks of several sizes; absent: their own. */
  readonly volumes?: readonly number[] | undefined;
  /** Called with a line about the current work. */
  readonly print: (line: string) => void;
  /** Folder for CPU profiles of the product's processes; absent: no profiles. */
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
