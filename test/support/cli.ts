// The command line as a test runs it: in this process, with an environment of its own and its
// streams caught.
import { runCli } from '../../client/cli/program.js';

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a stream may say of the terminal behind it; a test's has none unless it says so. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export async function runCommand(
  environment: NodeJS.ProcessEnv,
  words: readonly string[],
  terminal: Terminal = {},
): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  const streams = {
    stdout: { write: (text: string) => (stdout += text), ...terminal },
    stderr: { write: (text: string) => (stderr += text) },
  };
  const exitCode = await runCli(words, streams, environment);
  return { exitCode, stdout, stderr };
}
