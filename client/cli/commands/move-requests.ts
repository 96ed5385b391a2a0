// volume-mover approve, pause, resume, abort: requests to a running move, answered with a sentence.
import { Command } from 'commander';
import type { MoveRequestName } from '../../../contracts/move.js';
import { EXIT } from '../exit-code.js';
import { requestOf, type RequestFlags, withRequest } from '../request.js';
import { type CommandContext, runCommand } from '../session.js';

export function approveCommand(context: CommandContext): Command {
  return request(context, 'approve', 'let a move that was started with --manual raise its fence');
}

export function pauseCommand(context: CommandContext): Command {
  return request(context, 'pause', 'hold a move before its commit; no fence stays up, and nothing has changed');
}

export function resumeCommand(context: CommandContext): Command {
  return request(context, 'resume', 'let a paused move go on');
}

export function abortCommand(context: CommandContext): Command {
  return request(context, 'abort', 'end a move before its commit and put everything back as it was');
}

function request(context: CommandContext, name: MoveRequestName, description: string): Command {
  return withRequest(new Command(name))
    .description(description)
    .argument('<move-id>', 'as printed when the move was started; a workflow id means its newest move')
    .action(async (moveId: string, flags: RequestFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const message = await client.moves[name](moveId, requestOf(flags, context.environment));
        output.answer({ message }, () => message);
        return EXIT.ok;
      }),
    );
}
