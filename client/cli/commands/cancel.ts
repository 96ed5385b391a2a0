// volume-mover cancel: asks a move to end, and shows how it ended.
import { Command } from 'commander';
import type { Move } from '../../moves/move-client.js';
import { EXIT } from '../exit-code.js';
import { followMove, unlessInterrupted } from '../follow.js';
import { moveJson } from '../move-json.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

interface CancelFlags extends GlobalFlags {
  readonly wait: boolean;
}

export function cancelCommand(context: CommandContext): Command {
  return new Command('cancel')
    .description(
      'cancel a move: before its commit it is rolled back; after its commit it is completed (exit code 1, as for a move that failed)',
    )
    .argument('<move-id>', 'as printed when the move was started')
    .option('--no-wait', 'return as soon as Temporal has the request')
    .action(async (moveId: string, flags: CancelFlags) =>
      runCommand(context, flags, async ({ client, output, signal }) => {
        await client.moves.cancel(moveId);
        const asked = await client.moves.get(moveId);
        const move = flags.wait
          ? await unlessInterrupted(asked, output, signal, async () => followMove(client, asked, output, signal))
          : asked;
        if (move === undefined) return EXIT.interrupted;
        output.answer(moveJson(move), () => describe(move));
        return move.state === 'moved' || move.state === 'failed' ? EXIT.failed : EXIT.ok;
      }),
    );
}

function describe({ moveId, workflowId, state }: Move): string {
  switch (state) {
    case 'running':
      return `Asked move ${moveId} to cancel. To see how it ends: volume-mover watch ${workflowId}`;
    case 'moved':
      return `Move ${moveId} was committed already and is done. To move the volumes back: volume-mover reverse ${workflowId}`;
    case 'cancelled':
      return `Move ${moveId} is cancelled; everything is as before.`;
    case 'failed':
    case 'terminated':
      return `Move ${moveId} has ended, but not by this request: ${state}. To see why, and where its volumes are: volume-mover status ${workflowId}`;
  }
}
