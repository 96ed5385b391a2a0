// Exit codes and failures of the command line, without an estate.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { EXIT, exitCodeOf } from '../../client/cli/exit-code.js';
import { runCli } from '../../client/cli/program.js';
import { MoverError } from '../../contracts/errors.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-'));
});
afterEach(async () => rm(folder, { recursive: true }));

async function run(...words: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  let stdout = '';
  let stderr = '';
  const streams = {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
  };
  const exitCode = await runCli(words, streams, {});
  return { exitCode, stdout, stderr };
}

test.each([
  ['MOVE_REFUSED', EXIT.refused],
  ['UNREACHABLE', EXIT.unreachable],
  ['MOVE_NOT_FOUND', EXIT.notFound],
  ['INVALID_REQUEST', EXIT.usage],
  ['CORRUPT', EXIT.failed],
] as const)('%s ends with exit code %i', (code, exitCode) => {
  expect(exitCodeOf(new MoverError(code, 'a sentence'))).toBe(exitCode);
});

test('help is no failure, and lists the exit codes', async () => {
  const { exitCode, stdout } = await run('--help');
  expect(exitCode).toBe(EXIT.ok);
  expect(stdout).toContain('Exit codes:');
});

test.each([
  [['move', 'vm-1'], "required option '--to"],
  [['frobnicate'], "unknown command 'frobnicate'"],
  [['recover', 'vm-1', '--to', 'x', '--at', 'noon'], '--at: "noon" is not'],
  [['recover', 'vm-1', '--to', 'x', '--point', 'p', '--at', '1'], '--at: "1" is not'],
])('a command line that is not accepted ends with exit code 2, and says why: %j', async (words, why) => {
  const { exitCode, stderr } = await run(...words);
  expect(exitCode).toBe(EXIT.usage);
  expect(stderr).toContain(`volume-mover: ${why}`);
});

test('a missing estate file ends with exit code 2 and says how to name one', async () => {
  const { exitCode, stderr } = await run('volumes', '--estate', join(folder, 'none.json'));
  expect(exitCode).toBe(EXIT.usage);
  expect(stderr).toContain('--estate');
});

test('an estate file names every field that is wrong', async () => {
  const path = join(folder, 'estate.json');
  await writeFile(path, JSON.stringify({ appliances: [], splitters: 3 }));
  const { exitCode, stderr } = await run('volumes', '--estate', path);
  expect(exitCode).toBe(EXIT.usage);
  expect(stderr).toMatch(/appliances.*splitters/s);
});

test('with --json a failure is one JSON object on standard output', async () => {
  const { exitCode, stdout, stderr } = await run('groups', '--json', '--estate', join(folder, 'none.json'));
  expect(exitCode).toBe(EXIT.usage);
  const { error } = z.object({ error: z.object({ code: z.string() }) }).parse(JSON.parse(stdout));
  expect(error.code).toBe('INVALID_REQUEST');
  expect(stderr).toBe('');
});
