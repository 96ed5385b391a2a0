// Faults of a command line: all of them at once, for people and, with --json, for programs.
import { type Argument, type Command, CommanderError, InvalidArgumentError, type Option } from 'commander';
import { MoverError, type Reason } from '../../contracts/errors.js';

interface Fault {
  /** The flag or argument at fault. */
  readonly subject: string;
  readonly message: string;
}

/** Faults after which commander has read the whole command line, so that others can be found. */
const READ_WHOLE: ReadonlySet<string> = new Set([
  'commander.missingMandatoryOptionValue',
  'commander.conflictingOption',
  'commander.unknownOption',
  'commander.missingArgument',
  'commander.excessArguments',
  'volume-mover.faults',
]);

export class Usage {
  readonly #values: Fault[] = [];
  #command: Command | undefined;

  /** Notes the faults of a command's values instead of ending at the first one. */
  watch(command: Command): void {
    for (const part of [...command.options, ...command.registeredArguments]) this.#collect(part);
    command.exitOverride((error) => {
      this.#command = command;
      throw error;
    });
  }

  /** Refuses a command line with faults in its values, before the command runs. */
  refuseFaults(command: Command): void {
    if (this.#values.length === 0) return;
    this.#command = command;
    throw new CommanderError(2, 'volume-mover.faults', '');
  }

  /** Every fault of the command line that commander refused. */
  problem(refused: CommanderError): MoverError {
    const faults = this.#faults(refused);
    const reasons = faults.map(({ subject, message }): Reason => ({ code: 'INVALID_REQUEST', subject, message }));
    const listed = faults.map(({ message }) => message).join('; ');
    return new MoverError('INVALID_REQUEST', `The command line is not accepted: ${listed}.`, { reasons });
  }

  /** The faults in lines, and where to look. */
  lines(refused: CommanderError): string[] {
    return [
      ...this.#faults(refused).map(({ message }) => `volume-mover: ${message}`),
      `  What to do: ${pathOf(this.#command)} --help shows what is accepted.`,
    ];
  }

  #collect(part: Option | Argument): void {
    const { parseArg } = part;
    if (parseArg === undefined) return;
    part.parseArg = (value, previous) => {
      try {
        return parseArg(value, previous);
      } catch (error) {
        if (!(error instanceof InvalidArgumentError)) throw error;
        const subject = nameOf(part);
        this.#values.push({ subject, message: `${subject}: "${value}" is not accepted. ${error.message}` });
        return previous;
      }
    };
  }

  #faults(refused: CommanderError): Fault[] {
    const own = ownFault(refused);
    const command = this.#command;
    const faults = [...this.#values];
    if (command !== undefined && READ_WHOLE.has(refused.code)) {
      const refusedFlags = new Set(faults.map(({ subject }) => subject));
      faults.push(
        ...unknownOptions(command),
        ...missingOptions(command).filter(({ subject }) => !refusedFlags.has(subject)),
        ...missingArguments(command),
      );
    }
    if (own === undefined) return faults;
    // Commander's own sentence says more: it knows similar names.
    const others = faults.filter(({ message }) => !own.message.startsWith(message));
    const isRefusedValue = this.#values.some(({ subject }) => own.message.includes(`'${subject} `));
    return isRefusedValue ? others : [own, ...others];
  }
}

function ownFault({ code, message }: CommanderError): Fault | undefined {
  if (code === 'volume-mover.faults') return undefined;
  const text = message
    .replace(/^error: /, '')
    .replaceAll('\n', ' ')
    .trim();
  return { subject: /'([^' ]+)/.exec(text)?.[1] ?? 'command line', message: text };
}

function unknownOptions({ args }: Command): Fault[] {
  const unknown = args.filter((word) => /^-./.test(word)).map((word) => word.replace(/=.*/, ''));
  return [...new Set(unknown)].map((flag) => ({ subject: flag, message: `unknown option '${flag}'` }));
}

function missingOptions(command: Command): Fault[] {
  return command.options
    .filter((option) => option.mandatory && command.getOptionValue(option.attributeName()) === undefined)
    .map((option) => ({ subject: nameOf(option), message: `required option '${option.flags}' not specified` }));
}

function missingArguments({ args, registeredArguments }: Command): Fault[] {
  const given = args.filter((word) => !word.startsWith('-')).length;
  return registeredArguments
    .filter((argument, i) => argument.required && i >= given)
    .map((argument) => ({ subject: argument.name(), message: `missing required argument '${argument.name()}'` }));
}

function nameOf(part: Option | Argument): string {
  return 'flags' in part ? (part.long ?? part.flags) : part.name();
}

/** A command as people type it. @example "volume-mover batch start" */
function pathOf(command: Command | undefined): string {
  const names: string[] = [];
  for (let at: Command | null | undefined = command; at; at = at.parent) names.unshift(at.name());
  return names.length === 0 ? 'volume-mover' : names.join(' ');
}
