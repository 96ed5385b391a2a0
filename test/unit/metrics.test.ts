// The text of metrics, as Prometheus reads it.
import { expect, test } from 'vitest';
import { Distribution } from '../../control/metrics/distribution.js';
import type { Families } from '../../control/metrics/families.js';
import { Metrics } from '../../control/metrics/metrics.js';
import { parseMetrics } from '../support/metrics-page.js';

const FAMILIES = {
  x_volumes: { type: 'gauge', help: 'Volumes.', labels: ['group'] },
  x_events_total: { type: 'counter', help: 'Events.', labels: ['kind'] },
  x_seconds: { type: 'histogram', help: 'How long.', labels: ['step'], buckets: [0.1, 1] },
} as const satisfies Families;

test('what is read replaces what was read before: a group that is gone has no sample', async () => {
  let groups = ['g1', 'g2'];
  const metrics = new Metrics(FAMILIES, (each) =>
    each.set(
      'x_volumes',
      groups.map((group, i) => [{ group }, i + 1] as const),
    ),
  );
  expect([...parseMetrics(await metrics.text()).samples]).toEqual([
    ['x_volumes{group="g1"}', 1],
    ['x_volumes{group="g2"}', 2],
  ]);
  groups = ['g2'];
  expect([...parseMetrics(await metrics.text()).samples]).toEqual([['x_volumes{group="g2"}', 1]]);
});

test('what is not known now has no sample, with labels or without', async () => {
  let known: number | undefined = 5;
  const families = { x_free_bytes: { type: 'gauge', help: 'Free.', labels: [] } } as const satisfies Families;
  const metrics = new Metrics(families, (each) => each.set('x_free_bytes', known === undefined ? [] : [[{}, known]]));
  expect(parseMetrics(await metrics.text()).values('x_free_bytes')).toEqual([5]);
  known = undefined;
  expect(parseMetrics(await metrics.text()).values('x_free_bytes')).toEqual([]);
  known = 6;
  expect(parseMetrics(await metrics.text()).values('x_free_bytes')).toEqual([6]);
});

test('a counter keeps counting, and by nothing it begins at 0', async () => {
  const metrics = new Metrics(FAMILIES);
  metrics.count('x_events_total', { kind: 'a' }, 0);
  metrics.count('x_events_total', { kind: 'b' });
  metrics.count('x_events_total', { kind: 'b' }, 2);
  const page = parseMetrics(await metrics.text());
  expect(page.value('x_events_total', { kind: 'a' })).toBe(0);
  expect(page.value('x_events_total', { kind: 'b' })).toBe(3);
  expect(page.types.get('x_events_total')).toBe('counter');
});

test('a distribution and an ordinary histogram are written alike', async () => {
  const values = [0.05, 0.1, 0.5, 7];
  const ordinary = new Metrics(FAMILIES);
  const fast = new Metrics(FAMILIES);
  const distribution = fast.distribution('x_seconds', { step: 'flush' });
  for (const value of values) {
    ordinary.observe('x_seconds', { step: 'flush' }, value);
    distribution.observe(value);
  }
  const [a, b] = [parseMetrics(await ordinary.text()), parseMetrics(await fast.text())];
  expect(Object.fromEntries(b.samples)).toEqual(Object.fromEntries(a.samples));
  expect(b.types).toEqual(a.types);
  expect(Object.fromEntries(b.samples)).toEqual({
    'x_seconds_bucket{le="0.1",step="flush"}': 2,
    'x_seconds_bucket{le="1",step="flush"}': 3,
    'x_seconds_bucket{le="+Inf",step="flush"}': 4,
    'x_seconds_sum{step="flush"}': 7.65,
    'x_seconds_count{step="flush"}': 4,
  });
});

test('a distribution without bounds counts all the same', () => {
  const distribution = new Distribution([]);
  distribution.observe(3);
  expect(distribution.cumulative).toEqual([[Number.POSITIVE_INFINITY, 1]]);
});

test('those who ask at the same time get one text', async () => {
  let reads = 0;
  const metrics = new Metrics(FAMILIES, () => {
    reads += 1;
  });
  const [first, second] = await Promise.all([metrics.text(), metrics.text()]);
  expect(second).toBe(first);
  expect(reads).toBe(1);
  await metrics.text();
  expect(reads).toBe(2);
});

test('a reading that fails is told, and the next one is made anew', async () => {
  let isBroken = true;
  const metrics = new Metrics(FAMILIES, () => {
    if (isBroken) throw new Error('it broke');
  });
  await expect(metrics.text()).rejects.toThrow('it broke');
  isBroken = false;
  await expect(metrics.text()).resolves.toContain('# TYPE x_volumes gauge');
});

test('any label is written so that it reads back', async () => {
  const metrics = new Metrics(FAMILIES);
  const group = 'a "b"\\c\nd';
  metrics.set('x_volumes', [[{ group }, 1]]);
  expect(await metrics.text()).toContain('x_volumes{group="a \\"b\\"\\\\c\\nd"} 1');
});
