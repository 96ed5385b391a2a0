// A store of rows: order, what survives a reopening, and commits that change all or nothing.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openRowStore } from '../../simulator/store/row-store.js';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'row-store-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('rows are there in the order of their keys after the store is opened again', async () => {
  const store = openRowStore({ directory, tables: ['volumes', 'meta'] });
  store.commit([
    { table: 'volumes', key: 'b', value: { size: 2 } },
    { table: 'volumes', key: 'a', value: { size: 1, name: 'ü' } },
    { table: 'meta', key: 'session', value: 7 },
  ]);
  store.commit([
    { table: 'volumes', key: 'b' },
    { table: 'volumes', key: 'c', value: [1, null] },
  ]);
  await store.close();

  const again = openRowStore({ directory, tables: ['volumes', 'meta'] });
  expect([...again.rows('volumes')]).toEqual([
    ['a', { size: 1, name: 'ü' }],
    ['c', [1, null]],
  ]);
  expect([...again.rows('meta')]).toEqual([['session', 7]]);
  await again.close();
});

test('a commit that fails changes nothing, says where, and the store goes on', async () => {
  const store = openRowStore({ directory, tables: ['volumes'] });
  store.commit([{ table: 'volumes', key: 'a', value: 1 }]);
  const unstorable = {
    toJSON: () => {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    },
  };
  const both = [
    { table: 'volumes', key: 'a', value: 2 },
    { table: 'volumes', key: 'b', value: unstorable },
  ];
  expect(() => store.commit(both)).toThrow(expect.objectContaining({ code: 'STORAGE_FULL', retryable: true }));
  expect(() => store.commit(both)).toThrow(directory);
  expect([...store.rows('volumes')]).toEqual([['a', 1]]);
  store.commit([{ table: 'volumes', key: 'a', value: 4 }]);
  expect([...store.rows('volumes')]).toEqual([['a', 4]]);
  await store.close();
});

test('a change for a table that the store does not have is refused before anything is written', async () => {
  const store = openRowStore({ directory, tables: ['volumes'] });
  expect(() =>
    store.commit([
      { table: 'volumes', key: 'a', value: 2 },
      { table: 'nowhere', key: 'b', value: 3 },
    ]),
  ).toThrow('The store has no table "nowhere".');
  expect([...store.rows('volumes')]).toEqual([]);
  await store.close();
});
