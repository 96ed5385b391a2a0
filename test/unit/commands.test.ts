// package.json names the commands and scripts/commands.mjs says what they do: neither may have one
// that the other lacks.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';

const packageSchema = z.looseObject({ scripts: z.record(z.string(), z.string()) });
const tableSchema = z.looseObject({ commands: z.record(z.string(), z.unknown()) });

test('every npm script runs the command of its name, and every command has its script', async () => {
  const { scripts } = packageSchema.parse(
    JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')),
  );
  const { commands } = tableSchema.parse(await import(new URL('../../scripts/commands.mjs', import.meta.url).href));
  // `exec`: the shell must not stand between npm's signals and the command.
  const expected = Object.keys(commands).map((name) => [name, `exec node scripts/run.mjs ${name}`]);
  expect(scripts).toEqual(Object.fromEntries(expected));
});
