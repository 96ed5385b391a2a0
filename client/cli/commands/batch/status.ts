// volume-mover batch status: the state of a batch, or how it ended.
import { Command } from 'commander';
import { answerWithBatch } from '../../batch-answer.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../../session.js';
import { withBatch } from './batch-argument.js';

export function batchStatusCommand(context: CommandContext): Command {
  return withBatch(new Command('status'))
    .description(
      'show a batch; exit code 1 if it ended without moving everything. After Temporal has deleted its history, give the whole batch id',
    )
    .action(async (batchId: string, flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output }) =>
        answerWithBatch(client, await client.batches.get(batchId), output),
      ),
    );
}
