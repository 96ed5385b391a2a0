// The splitter as a process: its data folder is its own, it ends with its parent, and a wrong
// configuration is named.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { readProcessConfig } from '../../simulator/process/config.js';
import { lockDataFolder } from '../../simulator/process/data-folder.js';
import { describe, SplitterWorld, V1 } from './splitter-fixture.js';

const MAIN = fileURLToPath(new URL('../../dist/simulator/splitter/main.js', import.meta.url));
let world: SplitterWorld;

beforeEach(async () => {
  world = await new SplitterWorld().start();
});
afterEach(async () => world.stop());

async function failureOf(environment: Record<string, string>): Promise<{ code: unknown; log: string }> {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env['PATH'], ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [log, [code]] = await Promise.all([text(child.stderr), once(child, 'exit') as Promise<[unknown]>]);
  return { code, log };
}

test('two processes never use one data folder, and a killed one leaves it free', async () => {
  const first = await world.splitterProcess();
  const second = await failureOf({
    VOLUME_MOVER_ESTATE: join(world.folder, 'estate.json'),
    VOLUME_MOVER_ID: 's1',
    VOLUME_MOVER_DATA: world.dataFolder,
  });
  expect(second.code).toBe(1);
  expect(second.log).toContain(`is in use by process ${first.child.pid}`);
  await first.kill();
  const again = await world.splitterProcess();
  expect(await describe(again, V1)).toMatchObject({ last: { session: 2 } });
});

test('it stops in good order when its parent is gone', async () => {
  const splitter = await world.splitterProcess();
  splitter.child.stdin?.end();
  await once(splitter.child, 'exit');
  expect(splitter.child.exitCode).toBe(0);
});

test('the lock of a data folder is given back', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lock-'));
  const lock = lockDataFolder(folder);
  expect(() => lockDataFolder(folder)).toThrow(/in use by process/);
  lock.release();
  lock.release();
  lockDataFolder(folder).release();
  rmSync(folder, { recursive: true });
});

test('a configuration that is not accepted names the variable, or the field of the estate file', async () => {
  const estatePath = join(world.folder, 'bad.json');
  writeFileSync(
    estatePath,
    JSON.stringify({
      replicaSite: { control: { port: 0 } },
      appliances: [{ id: 'a1', control: { port: -1 }, nbd: { port: 0 } }],
      splitters: [],
      groups: [],
      worker: { health: { port: 0 } },
    }),
  );
  const read = (environment: Record<string, string>): string[] => {
    try {
      readProcessConfig('splitter', environment);
    } catch (error) {
      if (error instanceof MoverError) return error.reasons.map(({ subject }) => subject);
    }
    return [];
  };
  expect(read({})).toEqual(['VOLUME_MOVER_ESTATE', 'VOLUME_MOVER_DATA']);
  expect(read({ VOLUME_MOVER_ESTATE: join(world.folder, 'none.json'), VOLUME_MOVER_DATA: '/tmp' })).toEqual([
    'VOLUME_MOVER_ESTATE',
  ]);
  expect(read({ VOLUME_MOVER_ESTATE: estatePath, VOLUME_MOVER_DATA: '/tmp' })).toContain('appliances.0.control.port');
  await world.splitterProcess();
  const good = { VOLUME_MOVER_ESTATE: join(world.folder, 'estate.json'), VOLUME_MOVER_DATA: '/tmp' };
  expect(read({ ...good, VOLUME_MOVER_ID: 's9' })).toEqual(['VOLUME_MOVER_ID']);
  expect(read({ ...good, VOLUME_MOVER_ID: 's1', VOLUME_MOVER_SYNC: 'yes' })).toEqual(['VOLUME_MOVER_SYNC']);
  const audit = { VOLUME_MOVER_AUDIT_MIB: '0', VOLUME_MOVER_AUDIT_DAYS: 'many' };
  expect(read({ ...good, VOLUME_MOVER_ID: 's1', ...audit })).toEqual(Object.keys(audit));
  const noFile = { VOLUME_MOVER_CALLERS_FILE: join(world.folder, 'none.json') };
  expect(read({ ...good, VOLUME_MOVER_ID: 's1', ...noFile })).toEqual(Object.keys(noFile));
  const empty = { VOLUME_MOVER_TOKEN: '', VOLUME_MOVER_CALLERS_FILE: '' };
  const config = readProcessConfig('splitter', { ...good, ...empty, VOLUME_MOVER_ID: 's1', VOLUME_MOVER_SYNC: '1' });
  expect(config).toMatchObject({ id: 's1', sync: true, trace: false });
  expect(config.access?.callers.areKnown).toBe(false);
});
