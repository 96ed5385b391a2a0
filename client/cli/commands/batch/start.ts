// volume-mover batch start: starts a batch out of flags, a file, or both.
import { Command } from 'commander';
import { withoutDefaults } from '../../../schedules/without-defaults.js';
import { batchInputOf, type BatchWords, INPUT_HELP, withBatchWords } from '../../batch-words.js';
import { EXIT } from '../../exit-code.js';
import { followBatch } from '../../follow-batch.js';
import { type CommandContext, type GlobalOptions, runCommand } from '../../session.js';

interface Words extends BatchWords, GlobalOptions {
  readonly id?: string;
  readonly wait?: boolean;
}

export function batchStartCommand(context: CommandContext): Command {
  const command = new Command('start')
    .description('start a batch, and return at once unless --wait is given; a dry run is waited for')
    .addHelpText('after', `\n${INPUT_HELP}`);
  return withBatchWords(command)
    .option('--id <id>', 'the workflow id; started again with the same input while it runs, it is the same batch')
    .option('--wait', 'follow it to its end, as volume-mover batch watch does; exit code 1 unless all went well')
    .action(async (words: Words) =>
      runCommand(context, words, async ({ client, output, signal }) => {
        const input = await batchInputOf(words, context);
        const started = await client.batches.start(withoutDefaults(input), { workflowId: words.id });
        if (words.wait === true || input.dryRun) {
          output.progress(`Batch ${started.batchId}`);
          if (started.url !== undefined) output.progress(`  ${started.url}`);
          return await followBatch(client, started.batchId, output, signal);
        }
        output.answer({ ...started }, () =>
          [
            `Started ${started.batchId}`,
            ...(started.url === undefined ? [] : [`  ${started.url}`]),
            `  watch it with: volume-mover batch watch ${started.workflowId}`,
          ].join('\n'),
        );
        return EXIT.ok;
      }),
    );
}
