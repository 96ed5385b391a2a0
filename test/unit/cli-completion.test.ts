// Completion in a shell: what may come next, asked of the command itself.
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { estateIn } from '../../client/cli/commands/completion.js';
import { EXIT } from '../../client/cli/exit-code.js';
import { runCommand } from '../support/cli.js';

const NO_ESTATE = { VOLUME_MOVER_ESTATE: '/nowhere/estate.json' };

async function complete(...typed: readonly string[]): Promise<string[]> {
  const { exitCode, stdout, stderr } = await runCommand(NO_ESTATE, ['complete', '--', ...typed]);
  expect({ exitCode, stderr }).toEqual({ exitCode: EXIT.ok, stderr: '' });
  return stdout.split('\n').slice(0, -1);
}

test('commands come first, and those below them after', async () => {
  expect(await complete('mov')).toEqual(['move', 'moves']);
  expect(await complete('batch', 're')).toEqual(['resume', 'retry-failed', 'report']);
  expect(await complete('com')).toEqual(['completion']);
});

test('flags are those of the command', async () => {
  expect(await complete('move', 'vm-1-disk-0', '--re')).toEqual(['--reason', '--reversible']);
  expect(await complete('batch', 'start', '--from', 'cg-gold', '--can')).toEqual(['--canary']);
});

test('fixed values follow their flag, apart or joined', async () => {
  expect(await complete('batch', 'report', 'b', '--format', '')).toEqual(['table', 'json', 'csv', 'html']);
  expect(await complete('batch', 'report', 'b', '--format=c')).toEqual(['--format=csv']);
  expect(await complete('completion', '')).toEqual(['bash', 'zsh', 'fish']);
});

test.each([
  { typed: ['volumes', '--estate', 'a.json', 'x'], estate: 'a.json' },
  { typed: ['volumes', '--estate=a.json', 'x'], estate: 'a.json' },
  { typed: ['--estate', 'a.json', 'volumes', '--estate=b.json'], estate: 'b.json' },
  { typed: ['volumes', '--estates'], estate: undefined },
  { typed: ['volumes'], estate: undefined },
])('names come from the estate that is typed last: $typed', ({ typed, estate }) => {
  expect(estateIn(typed)).toBe(estate);
});

test('without an estate there are no names, and no error', async () => {
  expect(await complete('move', '')).toEqual([]);
  expect(await complete('move', 'vm-1-disk-0', '--to', '')).toEqual([]);
});

test('bash passes the words on, the unfinished one too, and takes one answer a line', async () => {
  const { stdout: code } = await runCommand({}, ['completion', 'bash']);
  const script = `${code}
volume-mover() { printf '<%s>\\n' "$@"; }
COMP_WORDS=(volume-mover move "vm 1" ""); COMP_CWORD=3
_volume_mover
printf '%s\\n' "\${COMPREPLY[@]}"`;
  expect(execFileSync('bash', ['-c', script], { encoding: 'utf8' })).toBe('<complete>\n<-->\n<move>\n<vm 1>\n<>\n');
});

test.each(['zsh', 'fish'])('%s asks the same hidden command', async (shell) => {
  const { stdout } = await runCommand({}, ['completion', shell]);
  expect(stdout).toContain('volume-mover complete -- ');
});
