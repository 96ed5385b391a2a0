// A span of time cut into equal cells: columns of a terminal, or of a page.

export interface TimeRange {
  readonly fromMs: number;
  /** Not before `fromMs`; belongs to the range. */
  readonly toMs: number;
}

/**
 * The cell of a time, 0 to `cells` - 1. What lies outside the range is in the cell of the end that
 * it is nearer to.
 */
export function cellOf({ fromMs, toMs }: TimeRange, cells: number, atMs: number): number {
  const widthMs = Math.max(1, toMs - fromMs);
  const cell = Math.floor(((atMs - fromMs) / widthMs) * cells);
  return Math.min(cells - 1, Math.max(0, cell));
}

/** A span that goes on has no end. */
export interface Span {
  readonly fromMs: number;
  readonly toMs?: number | undefined;
}

export function overlaps(range: TimeRange, { fromMs, toMs = Number.POSITIVE_INFINITY }: Span): boolean {
  return fromMs <= range.toMs && toMs >= range.fromMs;
}
