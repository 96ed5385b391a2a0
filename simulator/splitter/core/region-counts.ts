// How many writes of each region are under way or unconfirmed: counters in pages. A write that
// covers a page whole counts once for the page, so a request over gigabytes costs a few counters.
import { PAGE_REGIONS, partOf, SPARES_MAX } from './region-set.js';

interface Page {
  /** Writes that cover all regions of the page. */
  whole: number;
  /** The other writes, by region; made with the first of them. */
  counts: Uint32Array | undefined;
  /** How many of `counts` aren't zero. */
  used: number;
}

/**
 * Counters of pages that have no write any more: all zero. The next pages take them, so that a few
 * writes now and then don't make and drop 16 KiB each.
 */
const spares: Uint32Array[] = [];

export class RegionCounts {
  readonly #pages = new Map<number, Page>();

  has(region: number): boolean {
    const page = this.#pages.get(Math.floor(region / PAGE_REGIONS));
    return page !== undefined && (page.whole > 0 || (page.counts?.[region % PAGE_REGIONS] ?? 0) > 0);
  }

  /** The runs of regions [from, to) that no write counts, in ascending order. */
  *freeRuns(from: number, to: number): Generator<readonly [from: number, to: number]> {
    for (let region = from; region < to;) {
      const [number, first, end] = partOf(region, to);
      const start = number * PAGE_REGIONS;
      for (const [runFrom, runTo] of freeRunsOf(this.#pages.get(number), first, end))
        yield [start + runFrom, start + runTo];
      region += end - first;
    }
  }

  /** Counts a write of regions [from, to). */
  add(from: number, to: number): void {
    for (let region = from; region < to;) {
      const [number, first, end] = partOf(region, to);
      let page = this.#pages.get(number);
      if (page === undefined) {
        page = { whole: 0, counts: undefined, used: 0 };
        this.#pages.set(number, page);
      }
      if (end - first === PAGE_REGIONS) page.whole += 1;
      else count(page, first, end);
      region += end - first;
    }
  }

  /**
   * Counts off a write of regions [from, to), as it was counted. `settled` is called with the runs
   * of them that have no other write.
   */
  remove(from: number, to: number, settled: (from: number, to: number) => void): void {
    for (let region = from; region < to;) {
      const [number, first, end] = partOf(region, to);
      const page = this.#pages.get(number);
      const start = number * PAGE_REGIONS;
      if (page !== undefined) {
        if (end - first === PAGE_REGIONS) page.whole = Math.max(0, page.whole - 1);
        else countOff(page, first, end);
        if (page.used === 0 && page.counts !== undefined) {
          if (spares.length < SPARES_MAX) spares.push(page.counts);
          page.counts = undefined;
        }
        if (page.whole === 0 && page.used === 0) this.#pages.delete(number);
      }
      for (const [runFrom, runTo] of freeRunsOf(this.#pages.get(number), first, end))
        settled(start + runFrom, start + runTo);
      region += end - first;
    }
  }
}

function count(page: Page, first: number, end: number): void {
  page.counts ??= spares.pop() ?? new Uint32Array(PAGE_REGIONS);
  for (let index = first; index < end; index += 1) {
    const before = page.counts[index] ?? 0;
    if (before === 0) page.used += 1;
    page.counts[index] = before + 1;
  }
}

function countOff(page: Page, first: number, end: number): void {
  if (page.counts === undefined) return;
  for (let index = first; index < end; index += 1) {
    const before = page.counts[index] ?? 0;
    if (before === 1) page.used -= 1;
    if (before > 0) page.counts[index] = before - 1;
  }
}

/** The runs of [first, end) that no write counts. */
function* freeRunsOf(page: Page | undefined, first: number, end: number): Generator<readonly [number, number]> {
  if (page === undefined || (page.whole === 0 && page.counts === undefined)) {
    yield [first, end];
    return;
  }
  if (page.whole > 0 || page.counts === undefined) return;
  let from = first;
  for (let index = first; index < end; index += 1) {
    if ((page.counts[index] ?? 0) === 0) continue;
    if (index > from) yield [from, index];
    from = index + 1;
  }
  if (end > from) yield [from, end];
}
