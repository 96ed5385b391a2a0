// The first line that a child process prints: what it says once it is ready.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** @throws Error if the process ends before it has printed a line */
export async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('no stdout');
  const lines = createInterface({ input: stdout });
  const ended = once(lines, 'close').then(() => Promise.reject(new Error('the process ended before it was ready')));
  ended.catch(() => undefined);
  const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string];
  return line;
}
