// A command line that is not accepted: every fault at once, for people and for programs.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { EXIT } from '../../client/cli/exit-code.js';
import { runCommand } from '../support/cli.js';

const answerSchema = z.object({
  error: z.object({
    code: z.string(),
    detail: z.string(),
    reasons: z.array(z.object({ subject: z.string(), message: z.string() })),
  }),
});

test('a mistyped flag is named beside the required one that it was meant to be', async () => {
  const { exitCode, stdout, stderr } = await runCommand({}, ['move', 'vm-1-disk-0', '--too', 'cg-silver']);
  expect(exitCode).toBe(EXIT.usage);
  expect(stdout).toBe('');
  expect(stderr).toContain("required option '--to <group>' not specified");
  expect(stderr).toContain("unknown option '--too'");
  expect(stderr).toContain('What to do: volume-mover move --help shows what is accepted.');
});

test('all faults of a command line are named at once', async () => {
  const words = ['recover', '--at', 'yesterday-ish', '--point', 'p1', '--fast', '--slow=1'];
  const { exitCode, stderr } = await runCommand({}, words);
  expect(exitCode).toBe(EXIT.usage);
  const faults = stderr.split('\n').filter((line) => line.startsWith('volume-mover: '));
  expect(faults).toEqual([
    "volume-mover: required option '--to <path>' not specified",
    expect.stringMatching(/^volume-mover: --at: "yesterday-ish" is not accepted\. /),
    "volume-mover: unknown option '--fast'",
    "volume-mover: unknown option '--slow'",
    "volume-mover: missing required argument 'volume|group'",
  ]);
});

test('several values that can not be read are all named', async () => {
  const words = ['batch', 'start', '--concurrency', 'many', '--window', 'at night', '--order', 'any'];
  const { exitCode, stderr } = await runCommand({}, words);
  expect(exitCode).toBe(EXIT.usage);
  for (const flag of ['--concurrency: "many"', '--window: "at night"', '--order: "any"'])
    expect(stderr).toContain(flag);
});

test('a required option with a wrong value is not called missing as well', async () => {
  const words = ['schedule', 'backfill', 'nightly', '--from', 'then', '--to', '2026-11-23T01:00:00Z'];
  const { stderr } = await runCommand({}, words);
  expect(stderr).toContain('--from: "then" is not accepted.');
  expect(stderr).not.toContain('not specified');
});

test.each([
  ['an unknown option', ['move', 'v', '--too', 'x', '--json'], ['--to', '--too']],
  ['a missing argument', ['status', '--json'], ['move-id']],
  ['an unknown command', ['batch', 'stat', '--json'], ['stat']],
  ['a value that can not be read', ['moves', '--limit', 'x', '--json'], ['--limit']],
])('with --json %s is one JSON object on standard output', async (_what, words, subjects) => {
  const { exitCode, stdout, stderr } = await runCommand({}, words);
  expect(exitCode).toBe(EXIT.usage);
  expect(stderr).toBe('');
  const { error } = answerSchema.parse(JSON.parse(stdout));
  expect(error.code).toBe('INVALID_REQUEST');
  expect(error.reasons.map(({ subject }) => subject)).toEqual(subjects);
});

test('a command that has only other commands shows them', async () => {
  const { exitCode, stderr } = await runCommand({}, ['batch']);
  expect(exitCode).toBe(EXIT.usage);
  expect(stderr).toContain('retry-failed');
});

test('the version is asked for in one word', async () => {
  const { exitCode, stdout } = await runCommand({}, ['--version']);
  expect(exitCode).toBe(EXIT.ok);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
