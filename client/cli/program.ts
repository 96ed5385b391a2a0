// The command line as a whole: global options, one file per command, usage errors as exit code 2.
import { Command, CommanderError, Option } from 'commander';
import { VERSION } from '../../contracts/version.js';
import { auditCommand } from './commands/audit.js';
import { batchCommand } from './commands/batch.js';
import { bookmarkCommand } from './commands/bookmark.js';
import { cancelCommand } from './commands/cancel.js';
import { closeCommand } from './commands/close.js';
import { estateCommand } from './commands/estate.js';
import { groupCommand } from './commands/group.js';
import { groupsCommand } from './commands/groups.js';
import { imagesCommand } from './commands/images.js';
import { moveCommand } from './commands/move.js';
import { abortCommand, approveCommand, pauseCommand, resumeCommand } from './commands/move-requests.js';
import { movesCommand } from './commands/moves.js';
import { openCommand } from './commands/open.js';
import { planCommand } from './commands/plan.js';
import { pointsCommand } from './commands/points.js';
import { rebuildCommand } from './commands/rebuild.js';
import { recoverCommand } from './commands/recover.js';
import { reportCommand } from './commands/report.js';
import { resyncCommand } from './commands/resync.js';
import { scheduleCommand } from './commands/schedule.js';
import { sourceCommand } from './commands/source.js';
import { statusCommand } from './commands/status.js';
import { verificationCommand } from './commands/verification.js';
import { verifyCommand } from './commands/verify.js';
import { volumeCommand } from './commands/volume.js';
import { volumesCommand } from './commands/volumes.js';
import { EXIT, EXIT_CODE_HELP, type ExitCode } from './exit-code.js';
import type { Streams } from './output.js';
import type { CommandContext } from './session.js';

const DESCRIPTION = `Moves replication of protected virtual volumes between consistency groups while their guests keep writing.

The estate is found by --estate FILE, else VOLUME_MOVER_ESTATE, else .estate/estate.json of a running \`npm start\`.
VOLUME_MOVER_TOKEN_FILE (a file with a token), VOLUME_MOVER_TLS_CERT_FILE and VOLUME_MOVER_TLS_KEY_FILE (a certificate) say who
calls the control APIs, if they ask; VOLUME_MOVER_TLS_CA_FILE has the authority of theirs. TEMPORAL_ADDRESS, TEMPORAL_PROFILE and
the other TEMPORAL_* variables select another Temporal server than the estate's.`;

/** Parses and runs one command line. @returns the exit code; a user's mistake never rejects */
export async function runCli(
  args: readonly string[],
  streams: Streams = process,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.ok;
  const context: CommandContext = { streams, environment, setExitCode: (code) => (exitCode = code) };
  const program = createProgram(context);
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
}

function createProgram(context: CommandContext): Command {
  const { streams } = context;
  const program = new Command('volume-mover')
    .description(DESCRIPTION)
    .version(VERSION)
    .addHelpText('after', EXIT_CODE_HELP);
  const commands = [
    volumesCommand,
    groupsCommand,
    volumeCommand,
    groupCommand,
    estateCommand,
    pointsCommand,
    bookmarkCommand,
    planCommand,
    moveCommand,
    movesCommand,
    batchCommand,
    scheduleCommand,
    statusCommand,
    reportCommand,
    approveCommand,
    pauseCommand,
    resumeCommand,
    abortCommand,
    cancelCommand,
    recoverCommand,
    verifyCommand,
    verificationCommand,
    resyncCommand,
    sourceCommand,
    rebuildCommand,
    openCommand,
    imagesCommand,
    closeCommand,
    auditCommand,
  ];
  for (const make of commands) {
    const command = make(context);
    for (const leaf of treeOf(command).filter(({ commands }) => commands.length === 0)) {
      leaf.addOption(new Option('--estate <file>', 'the estate file'));
      leaf.addOption(new Option('--json', 'one JSON object on standard output, also for a failure ({"error": …})'));
    }
    program.addCommand(command);
  }
  for (const command of treeOf(program)) {
    command
      .exitOverride()
      .showHelpAfterError('(add --help to see what is accepted)')
      .configureOutput({
        writeOut: (text) => void streams.stdout.write(text),
        writeErr: (text) => void streams.stderr.write(text),
      });
  }
  return program;
}

/** A command and all below it. */
function treeOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(treeOf)];
}
