// volume-mover recover: copies a recovery point of a volume or a group to files.
import { Command, Option } from 'commander';
import { MOMENT_HELP } from '../../../contracts/moment.js';
import { parseOrRefuse } from '../../../contracts/errors.js';
import { pointIdSchema } from '../../../contracts/ids.js';
import type { Recovered } from '../../points/recover.js';
import { EXIT } from '../exit-code.js';
import { bytes, time } from '../../text/format.js';
import { table } from '../../text/table.js';
import { requestedTimeText, parseMoment } from '../moment.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

/** Columns that a narrow terminal may leave out, the least important first. */
const OPTIONAL = ['POSITION', 'DATA'];
interface RecoverFlags extends GlobalFlags {
  readonly point?: string;
  readonly at?: number;
  readonly to: string;
  readonly overwrite?: boolean;
}

const TITLES = ['VOLUME', 'FILE', 'SIZE', 'DATA', 'POSITION'];

export function recoverCommand(context: CommandContext): Command {
  return new Command('recover')
    .description('copy a recovery point to sparse image files; a file appears only when it is complete')
    .argument('<volume|group>', 'a volume, or a group: one file for each of its volumes')
    .requiredOption('--to <path>', 'the image file of a volume; a folder for a group')
    .addOption(new Option('--point <id>', 'which recovery point; without this and --at, the newest').conflicts('at'))
    .addOption(new Option('--at <time>', `the newest point not later than this: ${MOMENT_HELP}`).argParser(parseMoment))
    .option('--overwrite', 'replace existing files')
    .action(async (name: string, flags: RecoverFlags) =>
      runCommand(context, flags, async ({ client, output, signal }) => {
        const owner = await client.points.ownerNamed(name);
        const point = flags.point === undefined ? undefined : parseOrRefuse(pointIdSchema, flags.point, '--point');
        const { at: atMs, to, overwrite } = flags;
        const onProgress = (done: number, total: number): void => output.status(`  ${bytes(done)} of ${bytes(total)}`);
        const recovered = await client.points.recover({ ...owner, point, atMs, to, overwrite }, { signal, onProgress });
        output.status('');
        output.answer({ ...recovered }, (columns) => describe(recovered, atMs, columns));
        return EXIT.ok;
      }),
    );
}

function describe(
  { point, files, leftOut, doubt }: Recovered,
  atMs: number | undefined,
  columns: number | undefined,
): string {
  const rows = files.map(({ volume, path, sizeBytes, dataBytes, position }) => [
    volume,
    path,
    bytes(sizeBytes),
    bytes(dataBytes),
    String(position),
  ]);
  return [
    `Recovered point ${point.id} of ${point.group}, ${time(point.atMs)}${requestedTimeText(atMs)}.`,
    ...(doubt === undefined ? [] : [doubt]),
    table(TITLES, rows, { columns, optional: OPTIONAL }),
    ...leftOut.map(({ volume, reason }) => `Not in the point: ${volume} (${reason}).`),
  ].join('\n');
}
