// A child process that doesn't outlive this process, as far as the system allows.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { isGoneWithin } from '../gone-within.js';
import { findOnPath } from './executable-file.js';

import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable } from 'node:stream';

/** Longest end of a child after SIGTERM, ms: a dev server with a database takes under 1 s. */
const STOP_GRACE_MS = 10_000;
/** Longest wait for the system to remove a child after SIGKILL, ms. */
const GONE_MS_MAX = 5_000;

type Child = ChildProcessByStdio<null, null, Readable>;

/** A started child process. */
export interface BoundChild {
  readonly process: Child;
  readonly processId: number;
  readonly hasEnded: () => boolean;
  /** Resolves once the process is gone. */
  readonly ended: Promise<void>;
  /** Sends SIGTERM, after 10 s SIGKILL; resolves once the process is gone. Safe to call again. */
  readonly stop: () => Promise<void>;
  /** Sends SIGKILL; resolves once the process is gone. Safe to call again. */
  readonly kill: () => Promise<void>;
}

/**
 * Starts `command` with standard error as its only stream: read it, or the child blocks. On Linux
 * the kernel ends the child when this process dies, even by SIGKILL (`setpriv --pdeathsig`, part of
 * util-linux); elsewhere the child ends only when this process ends by itself. Call it on the main
 * thread: the kernel watches the thread that starts the child.
 *
 * @throws Error when the command can't be started
 */
export async function startBoundChild(command: string, args: readonly string[]): Promise<BoundChild> {
  const setpriv = process.platform === 'linux' ? await findOnPath('setpriv', process.env) : undefined;
  const [executable, ...allArgs] =
    setpriv === undefined ? [command, ...args] : [setpriv, '--pdeathsig', 'TERM', command, ...args];
  // Ctrl-C reaches only this process: users of the child are stopped before the child.
  const child = spawn(executable, allArgs, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  await once(child, 'spawn');
  if (child.pid === undefined) throw new Error(`${command} started without a process id.`);
  child.on('error', () => undefined);
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      process.off('exit', kill);
      resolve();
    });
  });
  let stopping: Promise<void> | undefined;
  return {
    process: child,
    processId: child.pid,
    hasEnded: () => hasEnded(child),
    ended,
    stop: () => (stopping ??= stopChild(child, ended)),
    kill: async () => killChild(child, ended),
  };
}

function hasEnded(child: Child): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function stopChild(child: Child, ended: Promise<void>): Promise<void> {
  if (hasEnded(child)) return;
  child.kill('SIGTERM');
  if (!(await isGoneWithin(STOP_GRACE_MS, ended))) await killChild(child, ended);
}

/** Kills a child. @throws Error when the system doesn't remove it */
async function killChild(child: Child, ended: Promise<void>): Promise<void> {
  if (hasEnded(child)) return;
  child.kill('SIGKILL');
  if (!(await isGoneWithin(GONE_MS_MAX, ended))) throw new Error(`Process ${child.pid} is still there after SIGKILL.`);
}
