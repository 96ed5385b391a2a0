// volume-mover finalize: ends the way back of a reversible move before its time is over.
import { Command } from 'commander';
import { EXIT } from '../exit-code.js';
import { requestOf, type RequestFlags, withRequest } from '../request.js';
import { type CommandContext, runCommand } from '../session.js';

export function finalizeCommand(context: CommandContext): Command {
  return withRequest(new Command('finalize'))
    .description('end the way back of a move started with --reversible: its old group keeps nothing for it any more')
    .argument('<move-id>', 'as printed when the move was started; a workflow id means its newest move')
    .action(async (moveId: string, flags: RequestFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const message = await client.moves.finalize(moveId, requestOf(flags, context.environment));
        output.answer({ message }, () => message);
        return EXIT.ok;
      }),
    );
}
