// The argument of the batch commands: the batch.
import type { Command } from 'commander';

export function withBatch(command: Command): Command {
  return command.argument('<batch-id>', 'as printed when the batch was started; a workflow id means its newest batch');
}
