// Runs a tool as a child process that behaves like this process: same terminal, signals and exit
// code.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';

import { root } from './root.mjs';

const FORWARDED_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Exit code that shells report for a process ended by signal n: 128 + n. */
const SIGNAL_EXIT_BASE = 128;

/**
 * Runs `name` from node_modules/.bin, otherwise from PATH, in the project's folder.
 *
 * @param {string} name
 * @param {readonly string[]} args
 * @param {{ stdout?: 'inherit' | 'stderr' }} [options] `stderr` sends the tool's output to standard
 * error
 * @returns {Promise<number>} its exit code
 */
export async function runTool(name, args, { stdout = 'inherit' } = {}) {
  const child = spawn(name, args, {
    cwd: root,
    env: { ...process.env, PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter) },
    stdio: ['inherit', stdout === 'stderr' ? 2 : 'inherit', 'inherit'],
  });
  const forward = (signal) => {
    // A terminal sends Ctrl-C to the child as well; a second one would look like a second request.
    if (signal === 'SIGINT' && process.stdin.isTTY) return;
    child.kill(signal);
  };
  for (const signal of FORWARDED_SIGNALS) process.on(signal, forward);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(code ?? SIGNAL_EXIT_BASE + constants.signals[signal]));
    });
  } finally {
    for (const signal of FORWARDED_SIGNALS) process.off(signal, forward);
  }
}
