// The latency histogram: quantiles within its stated error, the worst exactly.
import { expect, test } from 'vitest';
import { LatencyHistogram } from '../../estate/guest/latency.js';

test('quantiles are within 3 % and the worst is exact', () => {
  const histogram = new LatencyHistogram();
  for (let i = 1; i <= 1_000; i += 1) histogram.record(i / 10);
  const { count, medianMs, p99Ms, worstMs } = histogram.summary();
  expect(count).toBe(1_000);
  expect(Math.abs(medianMs - 50) / 50).toBeLessThan(0.03);
  expect(Math.abs(p99Ms - 99) / 99).toBeLessThan(0.03);
  expect(worstMs).toBe(100);
});

test('a histogram without writes says 0', () => {
  expect(new LatencyHistogram().summary()).toEqual({ count: 0, medianMs: 0, p99Ms: 0, worstMs: 0 });
});
