// How fast moves ended over the last few minutes. The rate and the expected end are computed from
// it.

const SPAN_MS = 10_000;
const SPANS = 30;
const MINUTE_MS = 60_000;

export class Pace {
  #spans: [fromMs: number, ended: number][];

  constructor(spans: readonly (readonly [number, number])[] = []) {
    this.#spans = spans.map(([fromMs, ended]) => [fromMs, ended]);
  }

  ended(nowMs: number): void {
    const fromMs = nowMs - (nowMs % SPAN_MS);
    const last = this.#spans.at(-1);
    if (last?.[0] === fromMs) last[1] += 1;
    else this.#spans = [...this.#spans, [fromMs, 1] satisfies [number, number]].slice(-SPANS);
  }

  /**
   * Moves that ended per minute. @param sinceMs when the batch started: a batch one minute old has
   * no older minutes
   */
  perMinute(nowMs: number, sinceMs: number): number {
    const fromMs = Math.max(sinceMs, nowMs - SPANS * SPAN_MS);
    const ended = this.#spans.reduce((sum, [atMs, count]) => (atMs + SPAN_MS > fromMs ? sum + count : sum), 0);
    const minutes = Math.max(nowMs - fromMs, SPAN_MS) / MINUTE_MS;
    return Math.round((ended / minutes) * 10) / 10;
  }

  toJSON(): [number, number][] {
    return this.#spans.map(([fromMs, ended]) => [fromMs, ended]);
  }
}
