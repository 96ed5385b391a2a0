// A range of time cut into equal cells: columns of a terminal or of a page.

export interface TimeRange {
  readonly fromMs: number;
  /** Not before `fromMs`; included in the range. */
  readonly toMs: number;
}

/** The cell of a time, 0 to `cells` - 1. Times outside the range are in the nearest cell. */
export function cellOf({ fromMs, toMs }: TimeRange, cells: number, atMs: number): number {
  const widthMs = Math.max(1, toMs - fromMs);
  const cell = Math.floor(((atMs - fromMs) / widthMs) * cells);
  return Math.min(cells - 1, Math.max(0, cell));
}

/** A span of time; without an end while it lasts. */
export interface Span {
  readonly fromMs: number;
  readonly toMs?: number | undefined;
}

export function overlaps(range: TimeRange, { fromMs, toMs = Number.POSITIVE_INFINITY }: Span): boolean {
  return fromMs <= range.toMs && toMs >= range.fromMs;
}
