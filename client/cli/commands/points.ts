// volume-mover points: the recovery points of a group, or of a volume across every group it has been in.
import { Command } from 'commander';
import type { ListedPoints } from '../../inventory.js';
import type { RecoveryPoint } from '../../../contracts/point.js';
import { EXIT } from '../exit-code.js';
import { table, time } from '../format.js';
import { type CommandContext, type GlobalOptions, runCommand } from '../session.js';

const TITLES = ['POINT', 'TIME', 'GROUP', 'KIND', 'VOLUMES', 'LEFT OUT', 'BOOKMARK'];

export function pointsCommand(context: CommandContext): Command {
  return new Command('points')
    .description('list recovery points, oldest first')
    .argument('<group|volume>', 'a group, or a volume: then of every group that contained it')
    .action(async (name: string, options: GlobalOptions) =>
      runCommand(context, options, async ({ client, output }) => {
        const listed = await client.listPoints(await client.ownerNamed(name));
        output.answer({ ...listed }, () => [table(TITLES, listed.points.map(row)), ...holeLines(listed)].join('\n'));
        return EXIT.ok;
      }),
    );
}

function row({ id, atMs, group, kind, members, leftOut, bookmark }: RecoveryPoint): string[] {
  const out = leftOut.map(({ volume, reason }) => `${volume} (${reason})`).join(', ');
  const name = bookmark === undefined ? '-' : `${bookmark.name}${bookmark.pending ? ' (pending)' : ''}`;
  return [id, time(atMs), group, kind, String(members.length), out === '' ? '-' : out, name];
}

function holeLines({ holes }: ListedPoints): string[] {
  return holes.map(({ volume, sinceMs, untilMs, reason }) => {
    const until = untilMs === undefined ? 'now' : time(untilMs);
    return `Hole: ${volume} from ${time(sinceMs)} to ${until}, only the end state can be recovered (${reason})`;
  });
}
