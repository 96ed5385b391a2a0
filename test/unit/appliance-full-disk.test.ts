// What an appliance remembers, on a disk that can't take it: a decision that can't be stored is
// refused, what has happened is stored later.
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { accessIdSchema, accessSchema } from '../../contracts/images.js';
import { groupIdSchema } from '../../contracts/ids.js';
import { MoverError } from '../../contracts/errors.js';
import { AccessLog, ENDED_ACCESSES_MAX, type StoredAccess } from '../../simulator/appliance/images/access-log.js';
import { PausedGroups } from '../../simulator/appliance/paused-groups.js';
import type { RowChange, RowStore } from '../../simulator/store/row-store.js';

const GROUP = groupIdSchema.parse('g1');
const log = pino({ level: 'silent' });

class FullStore implements RowStore {
  isFull = false;
  readonly stored = new Map<string, unknown>();

  *rows(): Generator<readonly [string, unknown]> {
    yield* this.stored;
  }

  commit(changes: readonly RowChange[]): void {
    if (this.isFull) throw new MoverError('STORAGE_FULL', 'There is no room left to store a change in /data/rows.');
    for (const { key, value } of changes) {
      if (value === undefined) this.stored.delete(key);
      else this.stored.set(key, value);
    }
  }

  async close(): Promise<void> {}
}

test("a group whose pause or resumption can't be stored stays as it was", () => {
  const store = new FullStore();
  const paused = new PausedGroups(store);
  const full: unknown = expect.objectContaining({ code: 'STORAGE_FULL' });
  store.isFull = true;
  expect(() => paused.pause(GROUP, 1)).toThrow(full);
  expect(paused.has(GROUP)).toBe(false);
  store.isFull = false;
  paused.pause(GROUP, 1);
  store.isFull = true;
  expect(() => paused.resume(GROUP)).toThrow(full);
  expect(paused.all).toEqual([GROUP]);
  store.isFull = false;
  paused.resume(GROUP);
  expect(store.stored.size).toBe(0);
});

function access(id: string, endedAtMs?: number): StoredAccess {
  return {
    access: accessSchema.parse({
      id: accessIdSchema.parse(id),
      point: 'p-1',
      atMs: 1,
      writable: false,
      client: 'test',
      openedAtMs: 1,
      leftOut: [],
      exports: [],
      warnings: [],
      ...(endedAtMs === undefined ? {} : { ended: { atMs: endedAtMs, why: 'closed' } }),
    }),
    expiresAtMs: 2,
    images: [],
  };
}

test("an access that can't be stored is refused; the end of one is told at once, and stored when there is room", () => {
  const store = new FullStore();
  const accesses = new AccessLog(store, log);
  accesses.begin(access('a'));
  store.isFull = true;
  expect(() => accesses.begin(access('b'))).toThrow(expect.objectContaining({ code: 'STORAGE_FULL' }));

  accesses.put(access('a', 5));
  expect(accesses.ended.map(({ access: { id } }) => id)).toEqual(['a']);
  expect(accesses.note).toMatch(
    /^The latest state of 1 image access is not stored: .*\/data\/rows.*The appliance tries again by itself\.$/,
  );
  expect(store.stored.get('a')).toEqual(access('a'));

  store.isFull = false;
  accesses.storeAgain();
  expect(accesses.note).toBeUndefined();
  expect(store.stored.get('a')).toEqual(access('a', 5));
});

test('what is remembered of accesses that ended stays bounded while nothing can be stored', () => {
  const store = new FullStore();
  const accesses = new AccessLog(store, log);
  for (let i = 0; i < ENDED_ACCESSES_MAX; i += 1) accesses.put(access(`x${i}`, i + 1));
  store.isFull = true;
  for (let i = 0; i < 10; i += 1) accesses.put(access(`y${i}`, 1_000 + i));
  expect(accesses.ended).toHaveLength(ENDED_ACCESSES_MAX);
  store.isFull = false;
  accesses.storeAgain();
  expect(store.stored.size).toBe(ENDED_ACCESSES_MAX);
  expect(store.stored.has('x9')).toBe(false);
});
