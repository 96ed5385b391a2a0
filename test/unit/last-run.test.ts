// What a killed launcher leaves: processes that leave by themselves are waited for, those that hang
// are ended, strangers are let be.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { endLastRun, recordRun } from '../../estate/last-run.js';

const LEAVE_MS = 200;
const recordSchema = z.object({ processes: z.array(z.unknown()) });

let folder: string;
let children: ChildProcess[];
let said: string[];
const print = (line: string): void => void said.push(line);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'volume-mover-test-'));
  children = [];
  said = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function sleeper(): Promise<{ readonly child: ChildProcess; readonly pid: number }> {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  children.push(child);
  await once(child, 'spawn');
  return { child, pid: child.pid ?? 0 };
}

async function changeRecord(change: (record: string) => string): Promise<void> {
  const path = join(folder, 'launcher.json');
  await writeFile(path, change(await readFile(path, 'utf8')));
}

test('without an earlier run there is nothing to wait for', async () => {
  await endLastRun(folder, print);
  expect(said).toEqual([]);
});

test.runIf(process.platform === 'linux')('a process that hangs is ended, and said by its name', async () => {
  const { child, pid } = await sleeper();
  recordRun(folder, [{ id: 'host-1', pid }]);
  const ended = once(child, 'exit');
  await endLastRun(folder, print, LEAVE_MS);
  expect(await ended).toEqual([null, 'SIGKILL']);
  expect(said).toEqual([
    `The last run was killed. Waiting for its processes to end: host-1 (process id ${pid}) ...`,
    `They hang, so they are ended with SIGKILL: host-1 (process id ${pid}). What they stored is kept.`,
  ]);
});

test.runIf(process.platform === 'linux')('a stranger with the same process id is let be', async () => {
  const { child, pid } = await sleeper();
  recordRun(folder, [{ id: 'host-1', pid }]);
  await changeRecord((record) => record.replaceAll(/ (\d+)"/g, ' 1"'));
  const ended = once(child, 'exit');
  await endLastRun(folder, print, LEAVE_MS);
  expect(said).toEqual([]);
  child.kill('SIGUSR1');
  expect(await ended, 'the signal of this test ends it, and none before').toEqual([null, 'SIGUSR1']);
});

test.runIf(process.platform === 'linux')('a launcher that lives keeps its folder', async () => {
  const { pid } = await sleeper();
  recordRun(folder, [{ id: 'launcher', pid }]);
  // The sleeper stands for the other launcher.
  await changeRecord((record) => {
    const { processes } = recordSchema.parse(JSON.parse(record));
    return JSON.stringify({ launcher: processes[0], processes: [] });
  });
  await expect(endLastRun(folder, print, LEAVE_MS)).rejects.toThrow(
    `An estate runs already in ${folder}: process ${pid}`,
  );
});

test('a record that was torn is nothing to go by', async () => {
  await writeFile(join(folder, 'launcher.json'), '{"launcher":');
  await endLastRun(folder, print);
  expect(said).toEqual([]);
});
