// volume-mover open: opens a recovery point of a volume or a group as NBD disks, for qemu, nbdcopy
// and similar tools.
import { Command, Option } from 'commander';
import { MOMENT_HELP } from '../../../contracts/moment.js';
import { parseOrRefuse } from '../../../contracts/errors.js';
import { pointIdSchema } from '../../../contracts/ids.js';
import { ACCESS_MS_DEFAULT } from '../../../contracts/images.js';
import type { ListedAccess } from '../../images/accesses.js';
import { EXIT } from '../exit-code.js';
import { bytes, time } from '../../text/format.js';
import { table } from '../../text/table.js';
import { requestedTimeText, parseMoment } from '../moment.js';
import { operatorOption } from '../operator.js';
import { parseDuration } from '../parse-duration.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

interface OpenFlags extends GlobalFlags {
  readonly point?: string;
  readonly at?: number;
  readonly writable?: boolean;
  readonly for?: number;
  readonly operator?: string;
  readonly reason?: string;
}

const TITLES = ['VOLUME', 'SIZE', 'URI'];

export function openCommand(context: CommandContext): Command {
  return new Command('open')
    .description('open a recovery point as NBD disks, until it is closed or reaches a limit')
    .argument('<group|volume>', 'a group (every volume of the point), or one volume')
    .addOption(new Option('--point <id>', 'which recovery point; without this and --at, the newest').conflicts('at'))
    .addOption(new Option('--at <time>', `the newest point not later than this: ${MOMENT_HELP}`).argParser(parseMoment))
    .option('--writable', 'accept writes into a scratch that is discarded at the end; the replica never changes')
    .addOption(
      new Option('--for <duration>', 'close it automatically after this time, e.g. 30m, 4h (default 12h)').argParser(
        parseDuration,
      ),
    )
    .addOption(operatorOption(context, 'the log'))
    .option('--reason <text>', 'why; kept in the log')
    .action(async (name: string, flags: OpenFlags) =>
      runCommand(context, flags, async ({ client, output, signal }) => {
        const point = flags.point === undefined ? undefined : parseOrRefuse(pointIdSchema, flags.point, '--point');
        const { at: atMs, writable, for: forMs, operator, reason } = flags;
        const owner = await client.points.ownerNamed(name);
        const access = await client.images.open(
          { ...owner, point, atMs, writable, forMs, operator, reason },
          { signal },
        );
        output.answer({ access }, (columns) => describe(access, { ...flags, columns }));
        return EXIT.ok;
      }),
    );
}

interface Asked extends Pick<OpenFlags, 'at' | 'for'> {
  readonly columns: number | undefined;
}

function describe(access: ListedAccess, { at, for: forMs = ACCESS_MS_DEFAULT, columns }: Asked): string {
  const { id, group, exports, point, atMs, writable, openedAtMs, limit, leftOut, clockDoubt } = access;
  const what = group === undefined ? `volume ${exports[0]?.volume}` : `group ${group}`;
  const how = writable ? 'with a scratch for writes' : 'read-only';
  const rows = exports.map(({ volume, sizeBytes, uri }) => [volume, bytes(sizeBytes), uri ?? '-']);
  return [
    `Access ${id}: ${what} at point ${point}, ${time(atMs)}${requestedTimeText(at)}, ${how}, until ${time(openedAtMs + forMs)} at the latest.`,
    ...(limit?.why === 'idle' ? [`It ends at ${time(limit.atMs)} already if no client is connected until then.`] : []),
    ...(clockDoubt === undefined ? [] : [clockDoubt]),
    table(TITLES, rows, { columns }),
    ...leftOut.map(({ volume, reason }) => `Not in the point: ${volume} (${reason}).`),
    `Close it with: volume-mover close ${id}`,
  ].join('\n');
}
