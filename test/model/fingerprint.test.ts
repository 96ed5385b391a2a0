// What states are compared by: everything a core holds, its private members included. Without that
// the search would take different states for one, and miss ways on.
import { expect, it } from 'vitest';
import { Holds } from '../../simulator/splitter/core/holds.js';
import { Marks, REGION_BYTES } from '../../simulator/splitter/core/marks.js';
import { V0, V1 } from './scenario.js';
import { fingerprint } from './search/fingerprint.js';

function held(...keys: readonly string[]): Holds {
  const holds = new Holds();
  for (const key of keys) holds.raise(key, [V0], 10);
  return holds;
}

it('sees private members', () => {
  expect(fingerprint(held('a'))).not.toBe(fingerprint(held()));
  expect(fingerprint(held('a'))).not.toBe(fingerprint(held('b')));
});

it('sees what no public member tells: how many writes are outstanding', () => {
  const [one, two] = [new Marks(REGION_BYTES), new Marks(REGION_BYTES)];
  one.begin(0, 1);
  two.begin(0, 1);
  expect(fingerprint(one)).toBe(fingerprint(two));
  two.begin(0, 1);
  expect(fingerprint(one)).not.toBe(fingerprint(two));
});

it('is the same for the same past, whoever shares which data', () => {
  const attempt = { move: 'a', n: 1 };
  expect(fingerprint([attempt, attempt])).toBe(fingerprint([attempt, { ...attempt }]));
  expect(fingerprint([held('a'), V1])).toBe(fingerprint([held('a'), V1]));
});
