// The row store on a disk that has no room: a change is refused before lmdb is asked, and goes
// through once there is room. A run prints its seed; VOLUME_MOVER_SEED runs it again.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { openRowStore, type RowStore } from '../../simulator/store/row-store.js';
import { seeded } from '../integration/splitter-fixture.js';
import { SmallDisk } from '../support/small-disk.js';

const KIB = 1024;
const TABLES = ['volumes', 'meta'];
let folder: string;
let disk: SmallDisk;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'store-'));
  disk = SmallDisk.mount(folder, 16 * KIB);
});
afterEach(() => {
  disk.unmount();
  rmSync(folder, { recursive: true, force: true });
});

const open = (): RowStore => openRowStore({ directory: join(folder, 'store'), tables: TABLES });
const row = (n: number, bytes: number) => ({ table: 'volumes', key: `v${n}`, value: 'x'.repeat(bytes) });

test('rows change on a full disk for as long as one likes, also after the store was opened again', async () => {
  const store = open();
  store.commit(Array.from({ length: 2_000 }, (_, n) => row(n, 300)));
  disk.fill();
  for (let n = 0; n < 3_000; n += 1) store.commit([row((n * 7) % 2_000, 310), row((n * 11) % 2_000, 280)]);
  await store.close();
  const again = open();
  for (let n = 0; n < 1_000; n += 1) again.commit([row((n * 7) % 2_000, 300)]);
  expect(again.note).toBeUndefined();
  await again.close();
});

test('whatever is stored on a full disk, each change is there whole or was refused, hundreds of times', async () => {
  const seed = Number(process.env['VOLUME_MOVER_SEED'] ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}`);
  const random = seeded(seed);
  const store = open();
  const model = new Map<string, unknown>();
  let refused = 0;
  let taken = 0;
  for (let round = 0; round < 3; round += 1) {
    disk.fill();
    for (let n = 0; n < 400; n += 1) {
      const changes = Array.from({ length: 1 + Math.floor(random() * 20) }, () => {
        const key = `v${Math.floor(random() * 5_000)}`;
        const value = random() < 0.2 ? undefined : 'x'.repeat(Math.floor(random() ** 8 * 40 * KIB));
        return value === undefined ? { table: 'volumes', key } : { table: 'volumes', key, value };
      });
      try {
        store.commit(changes);
        taken += 1;
        for (const { key, value } of changes)
          if (value === undefined) model.delete(key);
          else model.set(key, value);
      } catch (error) {
        if (!(error instanceof MoverError) || error.code !== 'STORAGE_FULL') throw error;
        refused += 1;
      }
    }
    expect(new Map(store.rows('volumes'))).toEqual(model);
    disk.empty();
    store.commit([{ table: 'meta', key: 'round', value: round }]);
  }
  expect(refused).toBeGreaterThan(100);
  expect(taken).toBeGreaterThan(50);
  await store.close();
  const again = open();
  expect(new Map(again.rows('volumes'))).toEqual(model);
  await again.close();
});
