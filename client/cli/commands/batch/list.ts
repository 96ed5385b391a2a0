// volume-mover batch list: the batches that Temporal knows, running ones first.
import { Command } from 'commander';
import { type BatchReport, batchOutcomeSchema } from '../../../../contracts/batch.js';
import type { ListedBatch } from '../../../batches/batch-client.js';
import { printable } from '../../../text/printable.js';
import { time } from '../../../text/format.js';
import { table } from '../../../text/table.js';
import { EXIT } from '../../exit-code.js';
import { type ListFlags, listOptionsOf, stateText, withListFlags } from '../../list-flags.js';
import { type CommandContext, runCommand } from '../../session.js';

const TITLES = ['BATCH', 'STATE', 'STARTED', 'ENDED', 'MOVED', 'FAILED', 'LEFT', 'BY', 'REASON'];

/** Columns that a narrow terminal may leave out, the least important first. */
const OPTIONAL = ['REASON', 'BY', 'ENDED'];
export function batchListCommand(context: CommandContext): Command {
  return withListFlags(new Command('list'), batchOutcomeSchema.options)
    .description('list batches, running ones first, then the last ended; Temporal keeps them for its retention time')
    .action(async (flags: ListFlags<BatchReport['outcome']>) =>
      runCommand(context, flags, async ({ client, output }) => {
        const batches = await client.batches.list(listOptionsOf(flags));
        output.answer({ batches }, (columns) =>
          batches.length === 0 ? 'No such batches.' : table(TITLES, batches.map(row), { columns, optional: OPTIONAL }),
        );
        return EXIT.ok;
      }),
    );
}

function row({ batchId, state, stage, startedAtMs, endedAtMs, counts, operator, reason }: ListedBatch): string[] {
  return [
    batchId,
    stateText(state, stage),
    time(startedAtMs),
    endedAtMs === undefined ? '-' : time(endedAtMs),
    counts === undefined ? '-' : `${counts.moved} of ${counts.planned}`,
    counts === undefined ? '-' : String(counts.failed),
    counts === undefined ? '-' : String(counts.waiting + counts.running),
    printable(operator ?? '-'),
    printable(reason ?? '-'),
  ];
}
