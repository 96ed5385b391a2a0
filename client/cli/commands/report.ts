// volume-mover report: how a move ended, from the replica site, which keeps it after Temporal's
// history is gone.
import { Command } from 'commander';
import { EXIT } from '../exit-code.js';
import { storedReportLines } from '../report-view.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

export function reportCommand(context: CommandContext): Command {
  return new Command('report')
    .description('show the stored report of a move that has ended, also after Temporal has deleted its history')
    .argument('<move-id>', 'as printed when the move was started; a workflow id means its newest move')
    .action(async (moveId: string, flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const report = await client.moves.report(moveId);
        output.answer(report, () => storedReportLines(report).join('\n'));
        return EXIT.ok;
      }),
    );
}
