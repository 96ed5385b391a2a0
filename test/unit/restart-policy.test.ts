// When a process that ended is started again: for ever, with pauses that grow to a bound, and with
// few words.
import { expect, test } from 'vitest';
import { type Restart, RestartPolicy } from '../../estate/restart-policy.js';

const LIMITS = { firstPauseMs: 1_000, pauseMsMax: 30_000, servedMs: 60_000 };

/** Dies `times` at once after each start, for one reason. */
function dieAgain(policy: RestartPolicy, times: number): Restart[] {
  return Array.from({ length: times }, () => policy.died(0, 'disk full'));
}

test('the first death is met at once, each further one in a row after twice the pause, up to the longest', () => {
  const pauses = dieAgain(new RestartPolicy(LIMITS), 9).map(({ pauseMs }) => pauseMs);
  expect(pauses).toEqual([0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test('it is never given up', () => {
  expect(dieAgain(new RestartPolicy(LIMITS), 5_000).at(-1)).toMatchObject({ deaths: 5_000, pauseMs: 30_000 });
});

test('a process that served for a while has recovered; one that served for less has not', () => {
  const policy = new RestartPolicy(LIMITS);
  dieAgain(policy, 7);
  policy.serves(100_000);
  expect(policy.died(159_999, 'disk full')).toMatchObject({ deaths: 8 });
  policy.serves(200_000);
  expect(policy.died(260_000, 'disk full')).toEqual({ deaths: 1, pauseMs: 0, detail: 'full' });
});

test('service counts once: a life that never serves is not reckoned from the service of the one before', () => {
  const policy = new RestartPolicy(LIMITS);
  policy.serves(0);
  policy.died(1_000, 'a');
  expect(policy.died(1_000_000, 'a')).toMatchObject({ deaths: 2 });
});

test('a reason is told once as a whole, then by a line while the pause grows, then ever more rarely', () => {
  const details = dieAgain(new RestartPolicy(LIMITS), 40).map(({ detail }) => detail);
  expect(details.slice(0, 7)).toEqual(['full', 'line', 'line', 'line', 'line', 'line', 'none']);
  const told = details.flatMap((detail, i) => (detail === 'none' ? [] : [i + 1]));
  expect(told).toEqual([1, 2, 3, 4, 5, 6, 8, 16, 32]);
});

test('a new reason is told as a whole, however often it died before', () => {
  const policy = new RestartPolicy(LIMITS);
  dieAgain(policy, 20);
  expect(policy.died(0, 'port taken')).toMatchObject({ deaths: 21, detail: 'full' });
  expect(policy.died(0, 'port taken')).toMatchObject({ detail: 'none' });
});
