// Programs that nobody here wrote, run to their end. A missing one fails the test.
import { execFile, spawn } from 'node:child_process';
import { expect } from 'vitest';

/** A tool that takes longer hangs. */
const TOOL_MS_MAX = 60_000;
/** Most output of one tool, bytes: fio's report has some 20 KB. */
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

export interface Finished {
  readonly exitCode: number;
  /** Standard output, then standard error. */
  readonly output: string;
}

/** @throws Error when the tool isn't installed, hangs, or ends by a signal */
export async function runTool(tool: string, ...words: readonly string[]): Promise<Finished> {
  return await new Promise((resolve, reject) => {
    const options = { timeout: TOOL_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX };
    execFile(tool, words, options, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`;
      if (error === null) resolve({ exitCode: 0, output });
      else if (typeof error.code === 'number') resolve({ exitCode: error.code, output });
      else reject(new Error(`${tool} could not be run to its end: ${output}`, { cause: error }));
    });
  });
}

/** Runs a tool that takes its time: it is not cut off, the test's own time limit is. */
export async function runLongTool(tool: string, ...words: readonly string[]): Promise<Finished> {
  const child = spawn(tool, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return await new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (exitCode, signal) => {
      if (exitCode === null) reject(new Error(`${tool} was ended by ${signal}: ${output}`));
      else resolve({ exitCode, output });
    });
  });
}

/** Runs a tool that must exit with 0; returns its output. */
export async function succeed(tool: string, ...words: readonly string[]): Promise<string> {
  const { exitCode, output } = await runTool(tool, ...words);
  expect(exitCode, `${tool} ${words.join(' ')}\n${output}`).toBe(0);
  return output;
}
