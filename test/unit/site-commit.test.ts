// A change that can't be stored never was: rules, their look-ups and their order are as before, and
// the next change goes through.
import { expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import type { RowChange, RowStore } from '../../simulator/store/row-store.js';
import { Site } from '../../simulator/replica-site/site.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { Table } from '../../simulator/replica-site/core/table.js';
import { G1, G2, LEASE_MS, DEADLINE_MS, ref, S1, SiteUnderTest, V1 } from './site-core-fixture.js';
import { standingClock } from '../support/settable-clock.js';

class FailingStore implements RowStore {
  failing = false;
  readonly commits: (readonly RowChange[])[] = [];

  *rows(): Generator<readonly [string, unknown]> {}

  commit(changes: readonly RowChange[]): void {
    if (this.failing) throw new MoverError('STORAGE_FULL', 'no room');
    this.commits.push(changes);
  }

  async close(): Promise<void> {}
}

const OPEN = {
  attempt: ref(1),
  volumes: [{ volume: V1, splitter: S1, epoch: 1 }],
  from: G1,
  to: G2,
  leaseMs: LEASE_MS,
  deadlineAfterMs: DEADLINE_MS,
};

test('an attempt whose opening could not be stored was never opened', () => {
  const { state } = new SiteUnderTest();
  const store = new FailingStore();
  const site = new Site(state, store, standingClock());
  site.change(() => undefined);
  const open = () => site.change((rules, now) => attempts.openAttempt(rules, OPEN, now));

  store.failing = true;
  expect(open).toThrow(expect.objectContaining({ code: 'STORAGE_FULL' }));
  expect(state.attempt(ref(1))).toBeUndefined();
  expect(state.volume(V1).openAttempt).toBeUndefined();
  expect(state.openAttempts()).toEqual([]);
  expect(state.changes()).toEqual([]);

  store.failing = false;
  expect(open()).toMatchObject({ state: 'OPEN', contents: { ticket: 1 } });
  expect(state.openAttempts()).toEqual([{ name: 'm1#1', volumes: 1 }]);
});

test('a rule that refuses may store what it found; one that is broken stores nothing', () => {
  const { state } = new SiteUnderTest();
  const store = new FailingStore();
  const site = new Site(state, store, standingClock());
  site.change(() => undefined);
  const failWith = (error: Error) => () =>
    site.change((rules) => {
      rules.take('tickets');
      throw error;
    });
  expect(failWith(new TypeError('a bug'))).toThrow('a bug');
  expect(state.counters.get('tickets')).toBeUndefined();
  expect(failWith(new MoverError('GROUP_FULL', 'full'))).toThrow('full');
  expect(state.counters.get('tickets')).toEqual({ next: 2 });
  expect(store.commits.at(-1)).toEqual([{ table: 'counters', key: 'tickets', value: { next: 2 } }]);
});

test('a table whose change is taken back has its rows, its order and its groups as before', () => {
  const table = new Table<{ readonly group: string; readonly n: number }>('t', [
    ['a', { group: 'x', n: 1 }],
    ['b', { group: 'x', n: 2 }],
    ['c', { group: 'y', n: 3 }],
  ]);
  table.keepOrder();
  const index = table.indexBy((row) => [row.group]);
  const picture = () => ({
    rows: [...table.values()],
    after: [...table.after()],
    x: [...index.of('x').keys()],
    y: [...index.of('y').keys()],
  });
  const before = picture();
  table.delete('a');
  table.put('b', { group: 'y', n: 5 });
  table.put('b', { group: 'z', n: 6 });
  table.put('d', { group: 'x', n: 4 });
  table.undo();
  expect(picture()).toEqual(before);
  expect(table.changes()).toEqual([]);
  table.put('a', { group: 'x', n: 9 });
  expect(table.changes()).toEqual([{ table: 't', key: 'a', value: { group: 'x', n: 9 } }]);
  table.settle();
  table.undo();
  expect(table.get('a')).toEqual({ group: 'x', n: 9 });
});
