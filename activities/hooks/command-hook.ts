// A hook that is a program. A freezing one writes the line "frozen", and holds the freeze until its
// standard input ends: the worker's death ends it, too. A line comes before that end: to write it
// back, while still frozen, proves that the freeze has lasted. `echo frozen; cat` does all of it.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Hook, HookCall } from '../../contracts/hooks.js';
import type { StartedHook } from './started-hook.js';

/** Characters kept of what a program writes. */
const OUTPUT_LENGTH_MAX = 4_000;
/** Time for a thaw once the hook's own time is over, ms. Then the program is ended. */
const THAW_MS_MAX = 5_000;
/** Time between the request to end and kill -9, ms. */
const GRACE_MS = 1_000;
/** Longest wait for the last words of a program that has ended, ms: a child of it may hold them. */
const LAST_WORDS_MS = 300;

export function startCommand(hook: Hook & { readonly command: string[] }, call: HookCall): StartedHook {
  const [program = '', ...words] = hook.command;
  const deadline = AbortSignal.timeout(hook.timeoutMs);
  const child = spawn(program, words, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...inherited(), ...variablesOf(hook, call) },
  });
  // What fails after its start is told by its end.
  child.on('error', () => undefined);
  // A program that reads nothing may end first.
  child.stdin.on('error', () => undefined);
  let output = '';
  const isFrozen = new Promise<void>((resolve) => {
    const take = (chunk: Buffer): void => {
      output = `${output}${chunk.toString()}`.slice(-OUTPUT_LENGTH_MAX);
      if (/^frozen$/m.test(output)) resolve();
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
  });
  const ended = endOf(child);
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const isLate = new Promise<'late'>((resolve) => deadline.addEventListener('abort', () => resolve('late')));
  void isLate.then(() => stop(child, hook.freezes ? THAW_MS_MAX : 0));
  if (!hook.freezes) child.stdin.end();

  const lastWords = async (): Promise<void> => Promise.race([closed, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
  const failure = async (): Promise<Error> => {
    if (deadline.aborted) return new Error(`it did not end within ${hook.timeoutMs} ms`);
    const end = await ended;
    await lastWords();
    const said = output.trim().split('\n').at(-1) ?? '';
    return new Error(`${end}${said === '' ? '' : `: ${said}`}`);
  };
  const run = async (): Promise<void> => {
    const first = await Promise.race([hook.freezes ? isFrozen : new Promise<never>(() => undefined), ended, isLate]);
    const isDone = hook.freezes ? first === undefined : first === 'exit code 0';
    if (!isDone) throw await failure();
  };
  const ready = run();
  ready.catch(() => undefined);
  return {
    ready,
    thaw: async () => {
      const word = randomUUID();
      child.stdin.end(`${word}\n`);
      // At the end of its time it is ended, too.
      const end = await ended;
      await lastWords();
      return !deadline.aborted && end === 'exit code 0' && output.split('\n').includes(word);
    },
  };
}

/** How it ended, in words. */
async function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `ended by ${signal}`));
    child.once('error', (error) => resolve(error.message));
  });
}

/**
 * Lets the program thaw, and ends it if it does not. A signal at once would end a shell before it
 * thaws.
 */
function stop(child: ChildProcess, afterMs: number): void {
  child.stdin?.end();
  setTimeout(() => child.kill('SIGTERM'), afterMs).unref();
  setTimeout(() => child.kill('SIGKILL'), afterMs + GRACE_MS).unref();
}

/** The worker's secrets are not for hooks. */
function inherited(): Record<string, string> {
  return Object.fromEntries(
    ['PATH', 'HOME', 'LANG', 'TZ', 'USER'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function variablesOf({ timeoutMs }: Hook, { event, attempt, volumes, from, to }: HookCall): Record<string, string> {
  return {
    VOLUME_MOVER_HOOK_EVENT: event,
    VOLUME_MOVER_HOOK_S: String(Math.ceil(timeoutMs / 1_000)),
    VOLUME_MOVER_HOOK_MOVE: attempt.move,
    VOLUME_MOVER_HOOK_ATTEMPT: String(attempt.n),
    VOLUME_MOVER_HOOK_VOLUMES: volumes.join(' '),
    VOLUME_MOVER_HOOK_FROM: from,
    VOLUME_MOVER_HOOK_TO: to,
  };
}
