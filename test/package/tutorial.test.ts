// The tutorial, typed by somebody who has nothing but the tarball: each of its commands, in an
// empty folder, and what it prints.
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createNamespace } from '../support/namespace.js';
import { PATIENCE_MS, until } from '../support/until.js';
import { pack, ROOT, Stranger, stop } from './stranger.js';

const PAGE = 'docs/tutorial/README.md';
const LEFT_OUT = '...';
/** Commands that a person repeats until they print what stands in the page. */
const LOOKED_AT_AGAIN = /batch status/;
/** Ids that each run makes anew: of runs, of moves, of recovery points. */
const MADE_ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=-)[0-9a-f]{8}\b|\bp\d{9}\b/g;

interface Command {
  readonly line: string;
  readonly expected: readonly string[];
}

/** The commands of the page's console blocks, each with the lines that it prints. */
function commandsOf(page: string): Command[] {
  const blocks = [...page.matchAll(/^```console\n([^]*?)^```$/gm)].map(([, block = '']) => block);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        const [line = '', ...expected] = text.trimEnd().split('\n');
        return { line, expected };
      }),
  );
}

/** The files that the page says to save: blocks whose first line is a comment with the name. */
function filesOf(page: string): { readonly name: string; readonly text: string }[] {
  return [...page.matchAll(/^```js\n(\/\/ (\S+)\n[^]*?)^```$/gm)].map(([, text = '', name = '']) => ({ name, text }));
}

/** A line without what differs from run to run: ids, times, sizes, widths of columns. */
function shapeOf(line: string): string {
  return line
    .replace(MADE_ID, '<id>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replace(/\d+(\.\d+)? (ms|s|min)( \d+ s)?\b/g, '<while>')
    .replace(/\d+(\.\d+)? (B|KiB|MiB)(?! \()/g, '<size>')
    .replace(/position \d+/g, 'position <n>')
    .replace(/\s+/g, ' ')
    .trim();
}

/**
 * Matches printed lines with those of the page. @returns for each line of the page the printed one,
 * undefined for lines left out; undefined if they don't match
 */
function matched(expected: readonly string[], printed: readonly string[]): (string | undefined)[] | undefined {
  const [first, ...rest] = expected;
  if (first === undefined) return printed.length === 0 ? [] : undefined;
  if (first === LEFT_OUT) {
    for (let skipped = 0; skipped <= printed.length; skipped += 1) {
      const found = matched(rest, printed.slice(skipped));
      if (found !== undefined) return [undefined, ...found];
    }
    return undefined;
  }
  const [line, ...more] = printed;
  if (line === undefined || shapeOf(line) !== shapeOf(first)) return undefined;
  const found = matched(rest, more);
  return found === undefined ? undefined : [line, ...found];
}

/** Types the page's commands, with the ids of this run in place of the page's. */
class Typist {
  readonly #stranger: Stranger;
  readonly #tarball: string;
  readonly #ids = new Map<string, string>();
  #estate: ChildProcess | undefined;

  constructor(stranger: Stranger, tarball: string) {
    this.#stranger = stranger;
    this.#tarball = tarball;
  }

  async type({ line, expected }: Command): Promise<void> {
    if (line === 'kill %1') await this.leave();
    else if (line.endsWith(' &')) await this.#start(line, expected);
    else await this.#compare(line, expected);
  }

  async #compare(line: string, expected: readonly string[]): Promise<void> {
    const typed = line.replace(MADE_ID, (id) => this.#ids.get(id) ?? id);
    const printed = LOOKED_AT_AGAIN.test(line)
      ? await until(`"${line}" as in the page`, PATIENCE_MS, async () => {
          const lines = await this.#run(typed);
          return matched(expected, lines) === undefined ? undefined : lines;
        })
      : await this.#run(typed);
    const found = matched(expected, printed);
    // Where they differ, both are shown as they are compared.
    if (found === undefined) expect(printed.map(shapeOf), line).toEqual(expected.map(shapeOf));
    found?.forEach((there, i) => this.#learn(expected[i] ?? '', there ?? ''));
  }

  async leave(): Promise<void> {
    if (this.#estate !== undefined) expect(await stop(this.#estate)).toBe(0);
    this.#estate = undefined;
  }

  async #start(line: string, expected: readonly string[]): Promise<void> {
    const [, program = ''] = /^node (\S+) &$/.exec(line) ?? [];
    this.#estate = await this.#stranger.start([program], new RegExp(`^${expected.at(-1) ?? ''}$`, 'm'));
  }

  async #run(line: string): Promise<string[]> {
    if (line === 'npm install volume-mover') {
      expect(await this.#stranger.install(this.#tarball)).toMatchObject({ exitCode: 0, stderr: '' });
      return [''];
    }
    const { exitCode, stdout } = await this.#stranger.shell(line);
    expect(exitCode, `${line}\n${stdout}`).toBe(0);
    return stdout === '' ? [] : stdout.trimEnd().split('\n');
  }

  /** Learns which id of this run each id of the page stands for. */
  #learn(expected: string, printed: string): void {
    const ids = printed.match(MADE_ID) ?? [];
    (expected.match(MADE_ID) ?? []).forEach((id, i) => this.#ids.set(id, ids[i] ?? id));
  }
}

let folder: string;
let stranger: Stranger;
let typist: Typist;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vm-tarball-'));
  const temporal = inject('temporalAddress');
  const namespace = await createNamespace(temporal);
  stranger = await Stranger.arrive({ TEMPORAL_ADDRESS: temporal, TEMPORAL_NAMESPACE: namespace });
  typist = new Typist(stranger, await pack(folder));
});

afterAll(async () => {
  await typist.leave();
  await stranger.leave();
  await rm(folder, { recursive: true, force: true });
});

test('every command of the tutorial works, and prints what the page says', async () => {
  const page = await readFile(join(ROOT, PAGE), 'utf8');
  const commands = commandsOf(page);
  expect(commands.length).toBeGreaterThan(12);
  expect(filesOf(page).map(({ name }) => name)).toEqual(['estate.mjs']);
  for (const { name, text } of filesOf(page)) await writeFile(join(stranger.folder, name), text);
  for (const command of commands) await typist.type(command);
});
