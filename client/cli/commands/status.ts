// volume-mover status: the state of a move, or how it ended.
import { Command } from 'commander';
import { EXIT } from '../exit-code.js';
import { moveJson } from '../move-json.js';
import { moveLines } from '../move-view.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

export function statusCommand(context: CommandContext): Command {
  return new Command('status')
    .description('show a move; exit code 1 if it ended without moving the volumes')
    .argument('<move-id>', 'as printed when the move was started; a workflow id means its newest move')
    .action(async (moveId: string, flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const move = await client.moves.get(moveId);
        output.answer(moveJson(move), () => moveLines(move).join('\n'));
        return move.state === 'running' || move.state === 'moved' ? EXIT.ok : EXIT.failed;
      }),
    );
}
