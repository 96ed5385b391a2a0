// The command line as a whole: global options, one file per command, usage errors as exit code 2.
import { Command, CommanderError, Option } from 'commander';
import { VERSION } from '../../contracts/version.js';
import { applianceCommand } from './commands/appliance.js';
import { auditCommand } from './commands/audit.js';
import { batchCommand } from './commands/batch.js';
import { bookmarkCommand } from './commands/bookmark.js';
import { cancelCommand } from './commands/cancel.js';
import { closeCommand } from './commands/close.js';
import { codecServerCommand } from './commands/codec-server.js';
import { conformanceCommand } from './commands/conformance.js';
import { completeCommand, completionCommand } from './commands/completion.js';
import { doctorCommand } from './commands/doctor.js';
import { estateCommand } from './commands/estate.js';
import { finalizeCommand } from './commands/finalize.js';
import { groupCommand } from './commands/group.js';
import { groupsCommand } from './commands/groups.js';
import { imagesCommand } from './commands/images.js';
import { lockCommand } from './commands/lock.js';
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
import { reverseCommand } from './commands/reverse.js';
import { scheduleCommand } from './commands/schedule.js';
import { sourceCommand } from './commands/source.js';
import { splitterCommand } from './commands/splitter.js';
import { statusCommand } from './commands/status.js';
import { verificationCommand } from './commands/verification.js';
import { verifyCommand } from './commands/verify.js';
import { volumeCommand } from './commands/volume.js';
import { volumesCommand } from './commands/volumes.js';
import { watchCommand } from './commands/watch.js';
import { workerCommand } from './commands/worker.js';
import { EXIT, EXIT_CODE_HELP, type ExitCode } from './exit-code.js';
import { Output, type Streams } from './output.js';
import type { CommandContext } from './session.js';
import { withTargetFlags } from './target-flags.js';
import { Usage } from './usage.js';

const DESCRIPTION = `Moves replication of protected virtual volumes between consistency groups while their guests keep writing.

The estate is found by --estate FILE, else VOLUME_MOVER_ESTATE, else .estate/estate.json of a running \`npm start\`.
VOLUME_MOVER_TOKEN_FILE (a file with a token), VOLUME_MOVER_TLS_CERT_FILE and VOLUME_MOVER_TLS_KEY_FILE (a certificate) say who
calls the control APIs, if they ask; VOLUME_MOVER_TLS_CA_FILE has the authority of theirs. --address, --profile and --namespace, or
TEMPORAL_ADDRESS, TEMPORAL_PROFILE and the other TEMPORAL_* variables, select another Temporal server than the estate's;
--ui-url or VOLUME_MOVER_TEMPORAL_UI_URL has the address of its web UI, for links. NO_COLOR turns colours off.`;

/** Commands that ask neither an estate nor Temporal, so that they have no flags to choose them. */
const WITHOUT_ESTATE: ReadonlySet<(context: CommandContext) => Command> = new Set([
  conformanceCommand,
  codecServerCommand,
]);

/** Parses and runs one command line. @returns the exit code; a user's mistake never rejects */
export async function runCli(
  args: readonly string[],
  streams: Streams = process,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.ok;
  const context: CommandContext = { streams, environment, setExitCode: (code) => (exitCode = code) };
  const usage = new Usage();
  const program = createProgram(context, usage);
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.ok;
    if (args.includes('--json')) new Output(streams, true).failure(usage.problem(error));
    // Commander has shown the help already.
    else if (error.code !== 'commander.help') streams.stderr.write(`${usage.lines(error).join('\n')}\n`);
    return EXIT.usage;
  }
}

function createProgram(context: CommandContext, usage: Usage): Command {
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
    applianceCommand,
    splitterCommand,
    estateCommand,
    doctorCommand,
    pointsCommand,
    bookmarkCommand,
    lockCommand,
    planCommand,
    moveCommand,
    movesCommand,
    watchCommand,
    batchCommand,
    scheduleCommand,
    statusCommand,
    reportCommand,
    approveCommand,
    pauseCommand,
    resumeCommand,
    abortCommand,
    cancelCommand,
    reverseCommand,
    finalizeCommand,
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
    workerCommand,
    codecServerCommand,
    conformanceCommand,
    completionCommand,
  ];
  for (const make of commands) {
    const command = make(context);
    for (const leaf of treeOf(command).filter(({ commands }) => commands.length === 0)) {
      if (!WITHOUT_ESTATE.has(make)) withTargetFlags(leaf);
      leaf.addOption(new Option('--json', 'one JSON object on standard output, also for a failure ({"error": …})'));
    }
    program.addCommand(command);
  }
  program.addCommand(completeCommand(context), { hidden: true });
  for (const command of treeOf(program)) {
    usage.watch(command);
    command.configureOutput({
      writeOut: (text) => void streams.stdout.write(text),
      writeErr: (text) => void streams.stderr.write(text),
      // All faults are written at once, at the end.
      outputError: () => {},
    });
  }
  return program.hook('preAction', (_, command) => usage.refuseFaults(command));
}

/** A command and all below it. */
function treeOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(treeOf)];
}
