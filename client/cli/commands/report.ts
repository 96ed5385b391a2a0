// volume-mover report: how a move ended, from the replica site, which keeps it after Temporal's
// history is gone.
import { Command } from 'commander';
import { MoverError } from '../../../contracts/errors.js';
import type { StoredMoveReport } from '../../../contracts/report.js';
import type { MoverClient } from '../../sdk.js';
import { EXIT } from '../exit-code.js';
import { storedReportLines } from '../report-view.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

export function reportCommand(context: CommandContext): Command {
  return new Command('report')
    .description('show the stored report of a move that has ended, also after Temporal has deleted its history')
    .argument('<move-id>', 'as printed when the move was started; a workflow id means its newest move')
    .action(async (moveId: string, flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const report = await reportOf(client, moveId);
        output.answer(report, () => storedReportLines(report).join('\n'));
        return EXIT.ok;
      }),
    );
}

/** A stored report. Without one, Temporal may know what the id is, or that the move still runs. */
async function reportOf({ moves }: MoverClient, id: string): Promise<StoredMoveReport> {
  try {
    return await moves.report(id);
  } catch (error) {
    if (!(error instanceof MoverError) || error.code !== 'REPORT_NOT_FOUND') throw error;
    const { state, moveId } = await moves.get(id).catch((unknown: unknown) => {
      throw unknown instanceof MoverError && unknown.code === 'MOVE_NOT_FOUND' ? unknown : error;
    });
    if (state !== 'running') throw error;
    throw new MoverError(
      'REPORT_NOT_FOUND',
      `Move ${moveId} still runs; its report is stored when it ends. To see it now: volume-mover status ${moveId}`,
      { cause: error },
    );
  }
}
