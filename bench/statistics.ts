// The median and the range of a few measurements.

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The spread of the values. @throws Error without values */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [min] = sorted;
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) throw new Error('There is nothing to take a median of.');
  return { median: middleOf(sorted), min, max };
}

export function medianOf(values: readonly number[]): number {
  return spreadOf(values).median;
}

function middleOf(sorted: readonly number[]): number {
  const upper = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? upper;
  return (lower + upper) / 2;
}
