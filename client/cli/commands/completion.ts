// volume-mover completion: completes commands, flags and the estate's names in bash, zsh and fish.
import { Argument, Command } from 'commander';
import { MoverError } from '../../../contracts/errors.js';
import { namesOf } from '../completion/names.js';
import { SCRIPTS, type Shell, SHELLS } from '../completion/scripts.js';
import { type NameKind, nextWords } from '../completion/words.js';
import { type CommandContext, type GlobalFlags, openClient } from '../session.js';

export function completionCommand({ streams }: CommandContext): Command {
  return new Command('completion')
    .description('print code that completes commands, flags and names in your shell; its first lines say how to use it')
    .addArgument(new Argument('<shell>', 'your shell').choices(SHELLS))
    .action((shell: Shell) => void streams.stdout.write(SCRIPTS[shell]));
}

/** The hidden command that the shell's code asks. It answers one word a line, and never fails. */
export function completeCommand({ streams, environment }: CommandContext): Command {
  return new Command('complete')
    .argument('[words...]', 'the words after the name of the program; the last one is unfinished')
    .action(async (typed: string[], _flags: GlobalFlags, command: Command) => {
      const { words, kinds } = nextWords(command.parent ?? command, typed);
      const current = typed.at(-1) ?? '';
      const names = kinds.length === 0 ? [] : await estateNames(environment, typed, kinds);
      // Of a list with commas only the last name is unfinished.
      const before = /^.*[,=]/.exec(current)?.[0] ?? '';
      const found = [...words, ...names.map((name) => `${before}${name}`)];
      streams.stdout.write(
        found
          .filter((word) => word.startsWith(current))
          .map((word) => `${word}\n`)
          .join(''),
      );
    });
}

/** Names of the estate that the words choose. Without an estate there are none. */
async function estateNames(
  environment: NodeJS.ProcessEnv,
  typed: readonly string[],
  kinds: readonly NameKind[],
): Promise<string[]> {
  const estate = estateIn(typed);
  try {
    const client = openClient(environment, estate === undefined ? {} : { estate });
    const names = await namesOf(client, kinds);
    await client.close();
    return names;
  } catch (error) {
    if (error instanceof MoverError) return [];
    throw error;
  }
}

/** The estate file that the words name, in either form of a flag's value. */
export function estateIn(typed: readonly string[]): string | undefined {
  const flag = '--estate';
  const at = typed.findLastIndex((word) => word === flag || word.startsWith(`${flag}=`));
  return typed[at] === flag ? typed[at + 1] : typed[at]?.slice(flag.length + 1);
}
