// volume-mover batch watch: follows a batch to its end.
import { Command } from 'commander';
import { answerWithBatch } from '../../batch-answer.js';
import { followBatch } from '../../follow-batch.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../../session.js';
import { withBatch } from './batch-argument.js';

export function batchWatchCommand(context: CommandContext): Command {
  return withBatch(new Command('watch'))
    .description(
      'follow a batch to its end: a live picture on a terminal, lines elsewhere; Ctrl-C stops the watching, and the batch goes on; exit code 1 unless every move succeeded',
    )
    .action(async (id: string, flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output, signal }) => {
        const batch = await client.batches.get(id);
        if (batch.state !== 'running') return await answerWithBatch(client, batch, output);
        return await followBatch(client, batch.batchId, output, signal);
      }),
    );
}
