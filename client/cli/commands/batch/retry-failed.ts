// volume-mover batch retry-failed: retries the failed moves, in the running batch or in a new one.
import { Command } from 'commander';
import { type BatchOptionFlags, optionsOf, withBatchOptions } from '../../batch-flags.js';
import { EXIT } from '../../exit-code.js';
import { followBatch } from '../../follow-batch.js';
import { type CommandContext, runCommand } from '../../session.js';
import { requestOf, type RequestFlags, withRequest } from '../../request.js';
import { withBatch } from './batch-argument.js';

interface RetryFailedFlags extends BatchOptionFlags, RequestFlags {
  readonly id?: string;
  readonly wait?: boolean;
}

export function retryFailedCommand(context: CommandContext): Command {
  return withBatchOptions(withRequest(withBatch(new Command('retry-failed'))))
    .description(
      'retry the failed moves; for a batch that has ended, in a new batch with the same options unless others are given',
    )
    .option('--id <id>', 'the workflow id of the new batch')
    .option('--wait', 'follow the new batch to its end')
    .action(async (id: string, flags: RetryFailedFlags) =>
      runCommand(context, flags, async ({ client, output, signal }) => {
        const request = requestOf(flags, context.environment);
        const { message, started } = await client.batches.retryFailed(id, request, {
          workflowId: flags.id,
          options: optionsOf(flags),
        });
        if (started !== undefined && flags.wait === true) {
          output.progress(message);
          return await followBatch(client, started.batchId, output, signal);
        }
        output.answer({ message, ...started }, () =>
          [
            message,
            ...(started?.url === undefined ? [] : [`  ${started.url}`]),
            ...(started === undefined ? [] : [`  watch it with: volume-mover batch watch ${started.workflowId}`]),
          ].join('\n'),
        );
        return EXIT.ok;
      }),
    );
}
