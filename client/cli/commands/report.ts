// volume-mover report: how a move ended, from the replica site, which keeps it after Temporal's
// history is gone.
import { Command, Option } from 'commander';
import { MoverError } from '../../../contracts/errors.js';
import type { StoredMoveReport } from '../../../contracts/report.js';
import { writeTextFile } from '../../batches/report/text-file.js';
import { moveReportPage } from '../../moves/report/report-page.js';
import type { MoverClient } from '../../sdk.js';
import { EXIT } from '../exit-code.js';
import { storedReportLines } from '../report-view.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

interface ReportFlags extends GlobalFlags {
  readonly format: 'text' | 'html';
  readonly to?: string;
  readonly overwrite?: boolean;
}

export function reportCommand(context: CommandContext): Command {
  return new Command('report')
    .description('show the stored report of a move that has ended, also after Temporal has deleted its history')
    .argument('<move-id>', 'as printed when the move was started; a workflow id means its newest move')
    .addOption(
      new Option('--format <format>', 'text, or one self-contained page that can be filed')
        .choices(['text', 'html'])
        .default('text'),
    )
    .option('--to <file>', 'write it there instead of to standard output')
    .option('--overwrite', 'replace the file if it exists')
    .action(async (moveId: string, flags: ReportFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const { format, to, overwrite = false, json } = flags;
        if (json === true && format === 'html' && to === undefined)
          throw new MoverError('INVALID_REQUEST', '--format: with --json a page needs a file: give --to.');
        const report = await reportOf(client, moveId);
        const text = (): string =>
          format === 'html' ? moveReportPage(report, Date.now()) : `${storedReportLines(report).join('\n')}\n`;
        if (to !== undefined) {
          await writeTextFile(to, parts(text()), overwrite);
          output.answer({ file: to }, () => `Wrote the report of move ${report.move} to ${to}.`);
        } else if (format === 'html') output.part(text());
        else output.answer(report, () => text().trimEnd());
        return EXIT.ok;
      }),
    );
}

async function* parts(text: string): AsyncGenerator<string, void> {
  yield text;
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
