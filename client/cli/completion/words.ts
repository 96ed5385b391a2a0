// What may stand next on a command line: commands, flags, fixed values, or names of the estate.
import type { Argument, Command, Option } from 'commander';

/** Kinds of names that only the running estate knows. */
export type NameKind =
  | 'volume'
  | 'group'
  | 'splitter'
  | 'appliance'
  | 'move'
  | 'batch'
  | 'verification'
  | 'schedule'
  | 'access';

export interface Next {
  /** Words of the command line itself. */
  readonly words: readonly string[];
  /** Names that the estate adds. */
  readonly kinds: readonly NameKind[];
}

/** The placeholders of arguments and flags that stand for names. */
const KINDS: Readonly<Record<string, readonly NameKind[]>> = {
  volume: ['volume'],
  'a,b,…': ['volume'],
  group: ['group'],
  groups: ['group'],
  'group|volume': ['group', 'volume'],
  'volume|group': ['group', 'volume'],
  splitter: ['splitter'],
  appliance: ['appliance'],
  'move-id': ['move'],
  'batch-id': ['batch'],
  'verification-id': ['verification'],
  schedule: ['schedule'],
  access: ['access'],
};

const NOTHING: Next = { words: [], kinds: [] };

/**
 * What may come next.
 * @param typed the words after the program's name; the last one, perhaps empty, is being typed
 */
export function nextWords(program: Command, typed: readonly string[]): Next {
  const current = typed.at(-1) ?? '';
  let command = program;
  let pending: Option | undefined;
  let given = 0;
  for (const word of typed.slice(0, -1)) {
    if (pending !== undefined) pending = undefined;
    else if (word.startsWith('-')) pending = valueOptionOf(command, word);
    else {
      const sub = command.commands.find((each) => each.name() === word);
      if (sub === undefined) given += 1;
      else command = sub;
    }
  }
  if (pending !== undefined) return valuesOf(pending.argChoices, placeholderOf(pending.flags));
  const glued = /^(--[^=]+)=/.exec(current);
  if (glued?.[1] !== undefined) {
    const option = valueOptionOf(command, glued[1]);
    const { words, kinds } = option === undefined ? NOTHING : valuesOf(option.argChoices, placeholderOf(option.flags));
    return { words: words.map((word) => `${glued[1]}=${word}`), kinds };
  }
  if (current.startsWith('-')) return { words: flagsOf(command), kinds: [] };
  if (command.commands.length > 0) return { words: visibleCommands(command), kinds: [] };
  const argument = argumentAt(command, given);
  return argument === undefined ? NOTHING : valuesOf(argument.argChoices, argument.name());
}

function valuesOf(choices: readonly string[] | undefined, placeholder: string): Next {
  return { words: choices ?? [], kinds: KINDS[placeholder] ?? [] };
}

/** The flag, if a value follows it. */
function valueOptionOf(command: Command, word: string): Option | undefined {
  return command.options.find((option) => option.required && (option.long === word || option.short === word));
}

/** @example "--to <group>" → "group" */
function placeholderOf(flags: string): string {
  return /<([^>]+)>/.exec(flags)?.[1]?.replace('...', '') ?? '';
}

function flagsOf(command: Command): string[] {
  const flags = command.options.filter(({ hidden }) => !hidden).flatMap(({ long }) => long ?? []);
  return [...flags, '--help'];
}

function visibleCommands(command: Command): string[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((each) => each.name());
}

function argumentAt({ registeredArguments }: Command, index: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[index] ?? (last?.variadic === true ? last : undefined);
}
