// volume-mover reverse: moves the volumes of a committed move back to where they came from.
import { Command } from 'commander';
import { wishesOf, type WishFlags } from '../move-flags.js';
import { runCommand, type CommandContext } from '../session.js';
import { startAndFollow, withStartFlags } from './move.js';
import { answerPlan } from './plan.js';

interface ReverseFlags extends WishFlags {
  readonly wait: boolean;
  readonly again?: boolean;
  readonly dryRun?: boolean;
  readonly takeOver?: boolean;
}

export function reverseCommand(context: CommandContext): Command {
  const command = new Command('reverse')
    .description(
      'move the volumes of a committed move back to the group they came from; refused if they are no longer where it put them',
    )
    .argument('<move-id>', 'as printed when the move was started; a workflow id means its newest move');
  return withStartFlags(command, context)
    .option('--again', 'make a new move back even if one was made before, for example because that one failed')
    .option('--dry-run', 'check the move back and change nothing (exit code 3 if a check refuses it)')
    .action(async (moveId: string, flags: ReverseFlags) => {
      if (flags.dryRun === true)
        await runCommand(context, flags, async ({ client, output }) =>
          answerPlan(await client.moves.plan({ ...wishesOf(flags), ...(await client.moves.wayBack(moveId)) }), output),
        );
      else
        await startAndFollow(context, flags, async (client) =>
          client.moves.reverse(moveId, wishesOf(flags), {
            planFirst: true,
            again: flags.again,
            takeOver: flags.takeOver,
          }),
        );
    });
}
