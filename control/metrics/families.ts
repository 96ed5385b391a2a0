// Metrics are declared as data, by their names in Prometheus: what is registered, the table in the
// documentation and the types of the samples all come from one place.

export interface Family {
  readonly type: 'gauge' | 'counter' | 'histogram';
  /** What it counts or measures. Prometheus shows it beside the name. */
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets, ascending, in the unit of its name. */
  readonly buckets?: readonly number[];
}

export type Families = Readonly<Record<string, Family>>;

/** The names of the families of some types. */
export type NameOf<F extends Families, Type extends Family['type']> = {
  [Name in keyof F & string]: F[Name] extends { readonly type: Type } ? Name : never;
}[keyof F & string];

/** The labels of one sample of a family. */
export type LabelsOf<F extends Families, Name extends keyof F> = Readonly<Record<F[Name]['labels'][number], string>>;

export type Sample<F extends Families, Name extends keyof F> = readonly [labels: LabelsOf<F, Name>, value: number];

/**
 * Most volumes, and most groups, that have series of their own in one process. Beyond that only
 * totals are told: each series costs Prometheus about 3 KiB of memory.
 */
export const NAMED_SERIES_MAX = 1_000;
