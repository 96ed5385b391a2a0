// volume-mover batch list: the batches that Temporal knows, running ones first.
import { Command, Option } from 'commander';
import { batchOutcomeSchema } from '../../../../contracts/batch.js';
import type { BatchState } from '../../../batches/batch-end.js';
import type { ListedBatch } from '../../../batches/batch-client.js';
import { printable } from '../../../text/printable.js';
import { parseCount } from '../../batch-parsers.js';
import { EXIT } from '../../exit-code.js';
import { table, time } from '../../../text/format.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../../session.js';

const TITLES = ['BATCH', 'STATE', 'STARTED', 'ENDED', 'MOVED', 'FAILED', 'LEFT', 'BY', 'REASON'];

interface BatchListFlags extends GlobalFlags {
  readonly running?: boolean;
  readonly outcome?: BatchState;
  readonly limit?: number;
}

export function batchListCommand(context: CommandContext): Command {
  return new Command('list')
    .description('list batches, running ones first, then by end; Temporal knows them as long as its retention lasts')
    .addOption(new Option('--running', 'only those that run').conflicts('outcome'))
    .addOption(new Option('--outcome <outcome>', 'only those that ended so').choices(batchOutcomeSchema.options))
    .option('--limit <n>', 'how many at most (default 20)', parseCount)
    .action(async ({ running, outcome, limit, ...flags }: BatchListFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const batches = await client.batches.list({ state: running === true ? 'running' : outcome, limit });
        output.answer({ batches }, () =>
          batches.length === 0 ? 'There are no such batches.' : table(TITLES, batches.map(row)),
        );
        return EXIT.ok;
      }),
    );
}

function row({ batchId, state, stage, startedAtMs, endedAtMs, counts, operator, reason }: ListedBatch): string[] {
  return [
    batchId,
    stage === undefined || stage === 'running' ? state : `${state} (${stage})`,
    time(startedAtMs),
    endedAtMs === undefined ? '-' : time(endedAtMs),
    counts === undefined ? '-' : `${counts.moved} of ${counts.planned}`,
    counts === undefined ? '-' : String(counts.failed),
    counts === undefined ? '-' : String(counts.waiting + counts.running),
    printable(operator ?? '-'),
    printable(reason ?? '-'),
  ];
}
