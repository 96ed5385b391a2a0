// What every process has on a disk, on a real one that is full: its stores, its lock, its log. None
// of it may keep it from serving.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { replicaSiteApi } from '../../contracts/replica-site-api.js';
import { createApiClient } from '../../control/client.js';
import { readyLineSchema } from '../../simulator/process/ready-line.js';
import { openRowStore } from '../../simulator/store/row-store.js';
import { openTextStore } from '../../simulator/store/text-store.js';
import { SmallDisk } from '../support/small-disk.js';

const KIB = 1024;
const DISK_KIB = 32 * KIB;
/** Rows of a page each: more than a store keeps room for. */
const ROWS = 1_000;
const FULL: unknown = expect.objectContaining({ code: 'STORAGE_FULL', retryable: true });
const tables = ['t'];

let folder: string;
let disk: SmallDisk;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-small-disk-'));
  disk = SmallDisk.mount(folder, DISK_KIB);
});
afterEach(() => {
  disk.unmount();
  rmSync(folder, { recursive: true, force: true });
});

test('a store is opened on a full disk, read, and changed again when there is room; a new one is refused and does not end the process', async () => {
  const [rows, texts] = [join(folder, 'rows'), join(folder, 'texts')];
  const long = 'x'.repeat(3_000);
  for (const life of [1, 2]) {
    const rowStore = openRowStore({ directory: rows, tables });
    const textStore = openTextStore({ directory: texts, tables });
    rowStore.commit([{ table: 't', key: `life ${life}`, value: life }]);
    textStore.commit([{ table: 't', key: `life ${life}`, text: long }]);
    await Promise.all([rowStore.close(), textStore.close()]);
  }
  disk.fill();
  const rowStore = openRowStore({ directory: rows, tables });
  const textStore = openTextStore({ directory: texts, tables });
  const fillRows = (): void => {
    for (let key = 0; key < ROWS; key += 1) rowStore.commit([{ table: 't', key: `r${key}`, value: long }]);
  };
  const fillTexts = (): void => {
    for (let key = 0; key < ROWS; key += 1) textStore.commit([{ table: 't', key: `r${key}`, text: long }]);
  };
  expect(fillRows).toThrow(FULL);
  expect(fillTexts).toThrow(FULL);
  expect([...rowStore.rows('t')].slice(0, 2)).toEqual([
    ['life 1', 1],
    ['life 2', 2],
  ]);
  expect(textStore.get('t', 'life 2')).toBe(long);

  mkdirSync(join(folder, 'new'));
  expect(() => openRowStore({ directory: join(folder, 'new'), tables })).toThrow(FULL);

  disk.empty();
  fillRows();
  fillTexts();
  await Promise.all([rowStore.close(), textStore.close()]);
});

test('a process starts and serves with its data folder and its log on a full disk', async () => {
  const free = { host: '127.0.0.1', port: 0 };
  const estate = join(folder, 'estate.json');
  writeFileSync(
    estate,
    JSON.stringify({
      replicaSite: { control: free },
      appliances: [{ id: 'a1', control: free, nbd: free }],
      splitters: [{ id: 's1', control: free, nbd: free, volumes: [{ id: 'v1', sizeMiB: 1, group: 'g1' }] }],
      groups: [{ id: 'g1', appliance: 'a1' }],
      worker: { health: free },
    }),
  );
  const log = join(folder, 'site.log');
  const data = join(folder, 'data');
  for (const isFull of [false, true]) {
    if (isFull) disk.fill();
    const stderr = openSync(log, 'a');
    const loggedBytes = statSync(log).size;
    const main = fileURLToPath(new URL('../../dist/simulator/replica-site/main.js', import.meta.url));
    const child = spawn(process.execPath, [main], {
      env: {
        ...process.env,
        VOLUME_MOVER_ESTATE: estate,
        VOLUME_MOVER_DATA: data,
        VOLUME_MOVER_LOG_LEVEL: 'trace',
        VOLUME_MOVER_EXIT_WITH_PARENT: '1',
      },
      stdio: ['pipe', 'pipe', stderr],
    });
    closeSync(stderr);
    const { stdout } = child;
    if (stdout === null) throw new Error('no stdout');
    const exited = once(child, 'exit');
    try {
      const line: unknown[] = await Promise.race([
        once(createInterface({ input: stdout }), 'line'),
        exited.then(([code]: unknown[]) => [`it ended with ${String(code)}`]),
      ]);
      const { url } = readyLineSchema.parse(JSON.parse(String(line[0])));
      const site = createApiClient(replicaSiteApi, { baseUrl: url });
      expect((await site.inventory({})).volumes.map(({ volume }) => volume)).toEqual(['v1']);
      expect((await site.health({})).role).toBe('replica-site');
      // More than the last block of the log has room for.
      for (let call = 0; call < 100; call += 1) await site.inventory({});
      if (isFull) expect(statSync(log).size - loggedBytes).toBeLessThan(8 * KIB);
    } finally {
      child.kill('SIGKILL');
      await exited;
    }
  }
});
