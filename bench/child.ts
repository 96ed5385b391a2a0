// Programs of others, run as children that never outlive the benchmark and whose errors show why
// they ended.
import { startBoundChild } from '../estate/temporal/bound-child.js';

/** Characters of a program's output shown in an error. */
const OUTPUT_LENGTH_MAX = 2_000;

export interface Program {
  readonly processId: number;
  /** Resolves to the exit code, null after a signal. */
  readonly ended: Promise<number | null>;
  /** The end of what it wrote to standard error. */
  readonly lastOutput: () => string;
  /** Stops the program. Safe to call twice, and after its end. */
  readonly stop: () => Promise<void>;
}

/** Starts a program. @throws Error when it can't be started */
export async function startProgram(command: string, args: readonly string[]): Promise<Program> {
  const child = await startBoundChild(command, args);
  let output = '';
  child.process.stderr.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-OUTPUT_LENGTH_MAX);
  });
  const ended = new Promise<number | null>((resolve) => void child.process.once('exit', (code) => resolve(code)));
  return { processId: child.processId, ended, lastOutput: () => output.trim(), stop: child.stop };
}

/** Runs a program to its end. @throws Error with its output unless its exit code is 0 */
export async function runProgram(command: string, args: readonly string[]): Promise<void> {
  const program = await startProgram(command, args);
  const code = await program.ended;
  if (code !== 0)
    throw new Error(
      `${command} ended with ${code === null ? 'a signal' : `exit code ${code}`}: ${program.lastOutput()}`,
    );
}
