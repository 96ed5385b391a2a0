// volume-mover groups: every consistency group, who serves it and how full it is.
import { Command } from 'commander';
import type { ListedGroup } from '../../inventory.js';
import { EXIT } from '../exit-code.js';
import { duration, table, time } from '../format.js';
import { type CommandContext, type GlobalOptions, runCommand } from '../session.js';

const TITLES = ['GROUP', 'APPLIANCE', 'STATE', 'VOLUMES', 'POINT EVERY', 'LAST POINT'];

export function groupsCommand(context: CommandContext): Command {
  return new Command('groups').description('list the consistency groups').action(async (options: GlobalOptions) =>
    runCommand(context, options, async ({ client, output }) => {
      const groups = await client.listGroups();
      output.answer({ groups }, () => table(TITLES, groups.map(row)));
      return EXIT.ok;
    }),
  );
}

function row({
  group,
  appliance,
  state,
  volumes,
  reserved,
  volumesMax,
  pointEveryMs,
  lastPoint,
}: ListedGroup): string[] {
  const taken = reserved === 0 ? `${volumes}` : `${volumes} + ${reserved} reserved`;
  const last = lastPoint === undefined ? '-' : `${lastPoint.id} at ${time(lastPoint.atMs)}`;
  return [group, appliance, state, `${taken} of ${volumesMax}`, duration(pointEveryMs), last];
}
