// volume-mover batch start: starts a batch from flags, a file, or both.
import { Command } from 'commander';
import { withoutDefaults } from '../../../schedules/without-defaults.js';
import { batchInputOf, type BatchInputFlags, INPUT_HELP, namingBatchFlags, withBatchFlags } from '../../batch-flags.js';
import { EXIT } from '../../exit-code.js';
import { followBatch } from '../../follow-batch.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../../session.js';
import { announceStarted, answerStarted } from '../../started.js';

interface BatchStartFlags extends BatchInputFlags, GlobalFlags {
  readonly id?: string;
  readonly wait?: boolean;
}

export function batchStartCommand(context: CommandContext): Command {
  const command = new Command('start')
    .description('start a batch and return at once; with --wait, and for a dry run, wait for the end')
    .addHelpText('after', `\n${INPUT_HELP}`);
  return withBatchFlags(command)
    .option('--id <id>', 'the workflow id; the same id and input again, while the batch runs, start nothing new')
    .option('--wait', 'follow it to its end, like volume-mover batch watch; exit code 1 unless every move succeeded')
    .action(async (flags: BatchStartFlags) =>
      runCommand(context, flags, async ({ client, output, signal }) => {
        const input = await batchInputOf(flags, context);
        const started = await namingBatchFlags(flags, async () =>
          client.batches.start(withoutDefaults(input), { workflowId: flags.id }),
        );
        if (flags.wait === true || input.dryRun) {
          announceStarted(output, `Batch ${started.batchId}`, started);
          return await followBatch(client, started.batchId, output, signal);
        }
        const watch = `  watch it with: volume-mover batch watch ${started.workflowId}`;
        answerStarted(output, started.batchId, started, [watch]);
        return EXIT.ok;
      }),
    );
}
