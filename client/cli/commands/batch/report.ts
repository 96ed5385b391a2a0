// volume-mover batch report: what a batch moved when, by group, with durations and failures. Works
// for any size.
import { Command, Option } from 'commander';
import { MoverError } from '../../../../contracts/errors.js';
import { batchReportFormat, REPORT_FORMATS, type ReportFormatName } from '../../../batches/report/formats.js';
import type { BatchReportFormat } from '../../../batches/report/format.js';
import { writeTextFile } from '../../../batches/report/text-file.js';
import type { Batch } from '../../../batches/batch-client.js';
import type { MoverClient } from '../../../sdk.js';
import { EXIT } from '../../exit-code.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../../session.js';
import { withBatch } from './batch-argument.js';

interface BatchReportFlags extends GlobalFlags {
  readonly format?: ReportFormatName;
  readonly to?: string;
  readonly overwrite?: boolean;
  readonly bom?: boolean;
}

export function batchReportCommand(context: CommandContext): Command {
  return withBatch(new Command('report'))
    .description('list what a batch moved, when and how long it took, what failed and why, and what to do')
    .addOption(new Option('--format <format>', 'the form of the report (default table)').choices(REPORT_FORMATS))
    .option('--to <file>', 'write it there instead of to standard output')
    .option('--overwrite', 'replace the file if it exists')
    .option('--bom', 'begin CSV with a byte order mark, for spreadsheets that otherwise spoil names beyond ASCII')
    .action(async (id: string, flags: BatchReportFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const { format = flags.json === true ? 'json' : 'table', to, overwrite, bom = false } = flags;
        if (bom && format !== 'csv') throw new MoverError('INVALID_REQUEST', '--bom: only with --format csv.');
        const batch = await client.batches.get(id);
        // --json sets the form of the answer on standard output. With --to that answer is only the
        // file's path.
        if (flags.json === true && to === undefined && format !== 'json')
          throw new MoverError('INVALID_REQUEST', '--format: with --json and without --to it can only be json.');
        const parts = reportParts(
          client,
          batch,
          batchReportFormat(format, batch, { nowMs: Date.now(), withMark: bom }),
        );
        if (to === undefined) for await (const part of parts) output.part(part);
        else {
          await writeTextFile(to, parts, overwrite === true);
          output.answer({ file: to }, () => `Wrote the report of batch ${batch.batchId} to ${to}.`);
        }
        return EXIT.ok;
      }),
    );
}

async function* reportParts(
  client: MoverClient,
  { batchId }: Batch,
  format: BatchReportFormat,
): AsyncGenerator<string, void> {
  yield format.begin();
  for await (const move of client.batches.moves(batchId)) yield format.move(move);
  yield format.end();
}
