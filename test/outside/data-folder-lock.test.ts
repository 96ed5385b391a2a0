// The lock of a data folder holds between containers: processes in PID namespaces of their own, in
// which each is process 1 or so, and sees none of the others.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';

const MODULE = new URL('../../dist/simulator/process/data-folder.js', import.meta.url).href;
/** Says whether it got the lock, keeps it, and ends with its input. */
const OWNER = `
  import { lockDataFolder } from ${JSON.stringify(MODULE)};
  try {
    lockDataFolder(process.argv[1]);
    console.log('locked by process ' + process.pid);
  } catch (error) {
    console.log(error.message);
  }
  process.stdin.resume();
`;
const NEW_NAMESPACE = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];

interface Owner {
  readonly child: ChildProcess;
  readonly said: string;
}

async function start(folder: string, under: readonly string[]): Promise<Owner> {
  const words = [process.execPath, '--input-type=module', '-e', OWNER, folder];
  const child = spawn('/usr/bin/env', [...under, ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(async () => end(child));
  const lines = createInterface({ input: child.stdout });
  const [said] = (await once(lines, 'line')) as [string];
  return { child, said };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.stdin?.end();
  await exited;
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lock-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('a process in another PID namespace is refused, whichever came first', async () => {
  const folder = newFolder();
  const inside = await start(folder, NEW_NAMESPACE);
  expect(inside.said).toMatch(/^locked by process \d$/);
  const inUse = `The data folder ${folder} is in use by ${inside.said.slice('locked by '.length)} on ${hostname()}. Stop that process, or give this one another folder (VOLUME_MOVER_DATA).`;
  expect((await start(folder, NEW_NAMESPACE)).said).toBe(inUse);
  expect((await start(folder, [])).said).toBe(inUse);

  await end(inside.child);
  const outside = await start(folder, []);
  expect(outside.said).toBe(`locked by process ${outside.child.pid}`);
  expect((await start(folder, NEW_NAMESPACE)).said).toContain(`in use by process ${outside.child.pid} on`);
});

test('a killed owner leaves the folder free', async () => {
  const folder = newFolder();
  const { child } = await start(folder, []);
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  expect((await start(folder, NEW_NAMESPACE)).said).toMatch(/^locked by process/);
});
