// volume-mover verification status: the state of a verification, or its result.
import { Command } from 'commander';
import { type CommandContext, type GlobalFlags, runCommand } from '../../session.js';
import { answerWithVerification } from '../../verification-answer.js';
import { withVerification } from './verification-argument.js';

export function verificationStatusCommand(context: CommandContext): Command {
  return withVerification(new Command('status'))
    .description('show a verification; exit code 1 if it found a difference or ended without a result')
    .action(async (id: string, flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output }) =>
        answerWithVerification(await client.verifications.get(id), output),
      ),
    );
}
