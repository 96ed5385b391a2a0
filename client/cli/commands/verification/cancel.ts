// volume-mover verification cancel: ends a verification without a result.
import { Command } from 'commander';
import { EXIT } from '../../exit-code.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../../session.js';
import { withVerification } from './verification-argument.js';

export function verificationCancelCommand(context: CommandContext): Command {
  return withVerification(new Command('cancel'))
    .description(
      'cancel a verification: it ends without a result, and changes nothing; one that has ended stays as it is',
    )
    .action(async (id: string, flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        await client.verifications.cancel(id);
        const { verificationId, state } = await client.verifications.get(id);
        output.answer({ verificationId, state }, () =>
          state === 'running' || state === 'cancelled'
            ? `Verification ${verificationId} is being cancelled. It changed nothing.`
            : `Verification ${verificationId} had ended already: ${state}.`,
        );
        return EXIT.ok;
      }),
    );
}
