// volume-mover move: plans, starts and follows a move.
import { Command, Option } from 'commander';
import { MoverError } from '../../../contracts/errors.js';
import type { Move, StartedMove } from '../../moves/move-client.js';
import type { MoverClient } from '../../sdk.js';
import { EXIT, type ExitCode } from '../exit-code.js';
import { followMove, unlessInterrupted } from '../follow.js';
import { moveJson } from '../move-json.js';
import { moveInputOf, type MoveInputFlags, withMoveFlags } from '../move-flags.js';
import { reportLines } from '../move-view.js';
import { operatorOption } from '../operator.js';
import { nextOfMove } from '../next-commands.js';
import type { Output } from '../output.js';
import { parseMoment } from '../moment.js';
import { DURATION_FORM, parseDuration } from '../parse-duration.js';
import { parseKeep } from '../parse-keep.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';
import { settledLines } from '../settled-lines.js';
import { announceStarted, answerStarted } from '../started.js';

const EARLIER =
  'This move was started before under the workflow id; no new one is started. For a new one, add --again.';

interface MoveFlags extends MoveInputFlags {
  readonly wait: boolean;
  readonly workflowId?: string;
  readonly again?: boolean;
  readonly takeOver?: boolean;
}

export function moveCommand(context: CommandContext): Command {
  return withStartFlags(
    withMoveFlags(new Command('move')).description(
      'move volumes to another group and wait for the end; Ctrl-C stops the waiting, and the move goes on',
    ),
    context,
  )
    .option(
      '--workflow-id <id>',
      'your own id, e.g. a ticket; given again, it answers with the move made under it before',
    )
    .option('--again', 'with --workflow-id: make a new move even if one was made under the id before')
    .action(async (volumes: string[], flags: MoveFlags) =>
      startAndFollow(context, flags, async (client) =>
        client.moves.start(moveInputOf(volumes, flags), {
          planFirst: true,
          workflowId: flags.workflowId,
          again: flags.again,
          takeOver: flags.takeOver,
        }),
      ),
    );
}

/** The flags of every command that starts a move. */
export function withStartFlags(command: Command, context: CommandContext): Command {
  return command
    .addOption(operatorOption(context, 'the report'))
    .option('--reason <text>', 'why; kept in the report')
    .option(
      '--verify',
      'after the move, compare each volume with its replica while the guest writes; exit code 1 if they differ',
    )
    .addOption(
      new Option(
        '--keep-left <how-long>',
        'how long the "left" bookmark is kept: policy (of the old group; the default), forever, or a period like 30d',
      ).argParser(parseKeep),
    )
    .addOption(
      new Option(
        '--reversible <how-long>',
        `for this long after the commit the old group keeps places and points, so that volume-mover reverse sends nothing again: ${DURATION_FORM}, 7d at most`,
      ).argParser(parseDuration),
    )
    .option(
      '--manual',
      'stand by at "ready", and raise the fence when somebody approves: volume-mover approve <move-id>',
    )
    .option(
      '--queue',
      'if another move holds a volume, wait for it; then move the volumes only if they are still in the same group',
    )
    .option(
      '--take-over',
      'if a move that no longer runs holds a volume, end what it left at once, as doctor --fix does; refused while that move runs',
    )
    .addOption(
      new Option('--fence-from <time>', 'raise no fence before this time, e.g. 2026-11-23T22:00:00Z').argParser(
        parseMoment,
      ),
    )
    .addOption(
      new Option('--fence-by <time>', 'end without a change if the fence is not up by this time').argParser(
        parseMoment,
      ),
    )
    .option('--no-wait', 'return as soon as the move has started');
}

/** Starts a move, and follows it to its end unless it is not to be waited for. */
export async function startAndFollow(
  context: CommandContext,
  flags: GlobalFlags & { readonly wait: boolean },
  start: (client: MoverClient) => Promise<StartedMove>,
): Promise<void> {
  await runCommand(context, flags, async ({ client, output, signal }) => {
    const started = await start(client);
    if (started.isEarlier === true) output.progress(EARLIER);
    for (const settled of started.takenOver ?? []) for (const line of settledLines(settled)) output.progress(line);
    if (!flags.wait) {
      answerStarted(output, started.moveId, started, nextOfMove(started.workflowId));
      return EXIT.ok;
    }
    announceStarted(output, `Move ${started.moveId}`, started);
    const move = await unlessInterrupted(started, output, signal, async () =>
      followMove(client, started, output, signal),
    );
    return move === undefined ? EXIT.interrupted : answerWith(move, output);
  });
}

function answerWith(move: Move, output: Output): ExitCode {
  const { report, error } = move;
  if (report === undefined)
    throw error ?? new MoverError('INTERNAL', `The move ended as ${move.state}, without a report.`);
  output.answer(moveJson(move), () => reportLines(report).join('\n'));
  return EXIT.ok;
}
