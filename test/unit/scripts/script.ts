// Text scripts: blocks of commands, each followed by the output it must have. A person reads them
// as the description of a behaviour, and reviews a change of behaviour as a diff. The form is that
// of etcd raft's interaction tests (etcd-io/raft, rafttest).
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MoverError } from '../../../contracts/errors.js';

/** Ends a block's commands. Its output follows, up to the next empty line. */
const OUTPUT_FOLLOWS = '----';
/** Stands for no output: every block has one, so that none is forgotten. */
const NOTHING = 'ok';

/** Words and `key=value`; a value with spaces stands in double quotes. */
const WORDS = /(?:[^\s"]|"[^"]*")+/g;
const OPTION = /^(?<key>[a-z][a-z-]*)=(?<value>.*)$/;
const BYTES_OF_UNIT: Readonly<Record<string, number>> = { '': 1, Ki: 1_024, Mi: 1_048_576 };
const MS_OF_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1_000, min: 60_000 };

/** One command: its name, its words, and its options. */
export class Command {
  readonly name: string;
  readonly words: readonly string[];
  readonly #options = new Map<string, string>();
  readonly #unread = new Set<string>();

  constructor(line: string) {
    const [name = '', ...rest] = line.match(WORDS) ?? [];
    const words: string[] = [];
    for (const word of rest) {
      const { key, value } = OPTION.exec(word)?.groups ?? {};
      if (key === undefined || value === undefined) words.push(unquoted(word));
      else {
        this.#options.set(key, unquoted(value));
        this.#unread.add(key);
      }
    }
    this.name = name;
    this.words = words;
  }

  /** @throws Error when the command has no such word */
  word(index: number): string {
    const word = this.words[index];
    if (word === undefined) throw new Error(`"${this.name}" lacks word ${index + 1}`);
    return word;
  }

  option(key: string): string | undefined {
    this.#unread.delete(key);
    return this.#options.get(key);
  }

  number(key: string): number | undefined {
    const text = this.option(key);
    return text === undefined ? undefined : numberOf(text);
  }

  ms(key: string): number | undefined {
    const text = this.option(key);
    return text === undefined ? undefined : msOf(text);
  }

  /** Options that nobody read. */
  get unread(): string[] {
    return [...this.#unread];
  }
}

/** What each command does, by its name. */
export type Commands<Subject, Answer = string[]> = Readonly<
  Record<string, (subject: Subject, command: Command) => Answer>
>;

/** @throws Error when there is no command of that name */
export function perform<Subject, Answer>(
  commands: Commands<Subject, Answer>,
  subject: Subject,
  command: Command,
): Answer {
  const run = commands[command.name];
  if (run === undefined) throw new Error(`there is no command "${command.name}"`);
  return run(subject, command);
}

/** What a script drives: one real core or function, with everything around it in memory. */
export interface World {
  /**
   * Runs a command.
   * @returns what it answered, as lines.
   * @throws MoverError a refusal, which is output too
   */
  run(command: Command): string[] | Promise<string[]>;
  /** What else happened during the last command, whether or not it was refused. */
  besides?(): string[];
  /** The state as lines by name. After each block those that changed are printed. */
  state(): ReadonlyMap<string, string>;
}

/**
 * Makes a test of each script in a folder: its name is the file's, and its output must be the
 * file's. With VOLUME_MOVER_REWRITE=1 the files are written anew instead.
 */
export function testScripts(folder: string, makeWorld: () => World): void {
  const files = readdirSync(folder).filter((file) => file.endsWith('.txt'));
  test.each(files.toSorted())('%s', async (file) => {
    const path = join(folder, file);
    const text = readFileSync(path, 'utf8');
    expect(text, 'a script opens with what it proves').toMatch(/^(?:# .+\n)*# .+\.\n\n/);
    const output = await outputOf(text, makeWorld());
    if (process.env['VOLUME_MOVER_REWRITE'] === '1') writeFileSync(path, output);
    else expect(output).toBe(text);
  });
}

/**
 * Runs a script.
 * @returns its text with the real output in place of the expected one.
 * @throws Error that names the line of a command that is unknown or not well formed
 */
export async function outputOf(text: string, world: World): Promise<string> {
  const written: string[] = [];
  let output: string[] = [];
  let before = world.state();
  let isExpectation = false;
  for (const [index, line] of text.trimEnd().split('\n').entries()) {
    if (line === '') isExpectation = false;
    if (isExpectation) continue;
    written.push(line);
    if (line === OUTPUT_FOLLOWS) {
      const after = world.state();
      output.push(...changesBetween(before, after));
      written.push(...(output.length === 0 ? [NOTHING] : output));
      output = [];
      before = after;
      isExpectation = true;
    } else if (line !== '' && !line.startsWith('#')) {
      try {
        output.push(...(await answerOf(new Command(line), world)));
      } catch (cause) {
        throw new Error(`line ${index + 1}: ${line}`, { cause });
      }
    }
  }
  if (output.length > 0) throw new Error(`the last block lacks its ${OUTPUT_FOLLOWS}`);
  return `${written.join('\n')}\n`;
}

/** @throws Error when an option was not read: most likely it is mistyped */
async function answerOf(command: Command, world: World): Promise<string[]> {
  const answer = await answerOrRefusal(command, world);
  if (command.unread.length > 0) throw new Error(`"${command.name}" takes no ${command.unread.join(', ')}`);
  return [...answer, ...(world.besides?.() ?? [])];
}

async function answerOrRefusal(command: Command, world: World): Promise<string[]> {
  try {
    return await world.run(command);
  } catch (error) {
    if (!(error instanceof MoverError)) throw error;
    return [`${error.code}: ${error.message}`];
  }
}

function changesBetween(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const gone = [...before.keys()].filter((name) => !after.has(name)).map((name) => `${name}  gone`);
  const changed = [...after].filter(([name, line]) => before.get(name) !== line);
  return [...gone, ...changed.map(([name, line]) => `${name}  ${line}`)];
}

function unquoted(text: string): string {
  return text.replaceAll('"', '');
}

/** @throws Error when it is no whole number */
export function numberOf(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || text === '') throw new Error(`"${text}" is no whole number`);
  return number;
}

/** A size such as 4096, 64Ki or 1Mi, in bytes. */
export function bytesOf(text: string): number {
  return measured(text, BYTES_OF_UNIT);
}

/** A duration such as 250ms, 30s or 2min, in milliseconds. */
export function msOf(text: string): number {
  return measured(text, MS_OF_UNIT);
}

function measured(text: string, units: Readonly<Record<string, number>>): number {
  const { count, unit } = /^(?<count>\d+)(?<unit>\D*)$/.exec(text)?.groups ?? {};
  const of = units[unit ?? ''];
  if (count === undefined || of === undefined)
    throw new Error(`"${text}" has none of the units ${Object.keys(units).join(', ')}`);
  return Number(count) * of;
}

/**
 * Checks that no field is there without a value: rows and answers leave such a field out, as it is
 * stored and sent.
 * @throws Error that names the field
 */
export function exact<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  for (const [key, field] of Object.entries(value)) {
    if (field === undefined) throw new Error(`field "${key}" is there without a value`);
    exact(field);
  }
  return value;
}

/** Longest group of lines whose repetitions are folded. */
const FOLDED_LINES_MAX = 4;

/** Shortens groups of lines that come more than twice in a row to "… 7 times more". */
export function folded(lines: readonly string[]): string[] {
  const told: string[] = [];
  for (let at = 0; at < lines.length;) {
    const group = Array.from({ length: FOLDED_LINES_MAX }, (_, i) => i + 1)
      .map((size) => ({ size, times: timesInARow(lines, at, size) }))
      .find(({ times }) => times > 2) ?? { size: 1, times: 1 };
    told.push(...lines.slice(at, at + group.size));
    if (group.times > 1) told.push(`… ${group.times - 1} times more`);
    at += group.size * group.times;
  }
  return told;
}

function timesInARow(lines: readonly string[], at: number, size: number): number {
  const group = lines.slice(at, at + size).join('\n');
  let times = 1;
  while (
    at + (times + 1) * size <= lines.length &&
    lines.slice(at + times * size, at + (times + 1) * size).join('\n') === group
  )
    times += 1;
  return times;
}

/** A size for people: 4096 is "4 KiB". */
export function sizeText(bytes: number): string {
  return bytes % 1_024 === 0 && bytes > 0 ? `${bytes / 1_024} KiB` : `${bytes} B`;
}

/** A list such as 0-2,5, as numbers; none in an empty text. */
export function listOf(text: string): number[] {
  if (text === '') return [];
  return text.split(',').flatMap((part) => {
    const [from = '', to = from] = part.split('-');
    return Array.from({ length: numberOf(to) - numberOf(from) + 1 }, (_, i) => numberOf(from) + i);
  });
}

/** Numbers as a list such as 0-2,5; "none" without any. */
export function listText(numbers: Iterable<number>): string {
  const runs: [from: number, to: number][] = [];
  for (const number of [...numbers].toSorted((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] + 1 === number) last[1] = number;
    else runs.push([number, number]);
  }
  return runs.length === 0 ? 'none' : runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}
