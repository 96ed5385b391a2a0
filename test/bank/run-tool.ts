// Runs a program in the copy to its end, or stops it with all its children.
import { spawn } from 'node:child_process';

export interface ToolRun {
  readonly output: string;
  readonly code: number | null;
  /** It did not end by itself in time. */
  readonly isStopped: boolean;
}

/** @param script a JavaScript file, with its arguments */
export async function runTool(folder: string, script: readonly string[], limitMs: number): Promise<ToolRun> {
  const child = spawn(process.execPath, script, {
    cwd: folder,
    // It forms a group with its children, and all end together.
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let isStopped = false;
  const stop = (): void => {
    isStopped = true;
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  };
  const limit = setTimeout(stop, limitMs);
  process.once('exit', stop);
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    return { output: Buffer.concat(parts).toString('utf8'), code, isStopped };
  } finally {
    clearTimeout(limit);
    process.off('exit', stop);
  }
}
