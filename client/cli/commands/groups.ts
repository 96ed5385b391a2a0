// volume-mover groups: every consistency group, its appliance, how full it is, and the limit of its
// history.
import { Command } from 'commander';
import type { RetentionPolicy } from '../../../contracts/retention.js';
import type { ListedGroup } from '../../volumes/inventory.js';
import { printable } from '../../text/printable.js';
import { EXIT } from '../exit-code.js';
import { bytes, duration, period, time } from '../../text/format.js';
import { table } from '../../text/table.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

const TITLES = [
  'GROUP',
  'APPLIANCE',
  'STATE',
  'VOLUMES',
  'POINT EVERY',
  'LAST POINT',
  'KEEPS POINTS',
  'JOURNAL',
  'DROPPED',
];

/** Columns that a narrow terminal may leave out, the least important first. */
const OPTIONAL = ['KEEPS POINTS', 'POINT EVERY', 'DROPPED', 'APPLIANCE'];
export function groupsCommand(context: CommandContext): Command {
  return new Command('groups')
    .description('list the consistency groups; DROPPED counts points that the journal had no room for')
    .action(async (flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const groups = await client.groups.list();
        output.answer({ groups }, (columns) =>
          [table(TITLES, groups.map(row), { columns, optional: OPTIONAL }), ...groups.flatMap(alertLines)].join('\n'),
        );
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
  retention,
  journal,
}: ListedGroup): string[] {
  const taken = reserved === 0 ? `${volumes}` : `${volumes} + ${reserved} reserved`;
  const last = lastPoint === undefined ? '-' : `${lastPoint.id} at ${time(lastPoint.atMs)}`;
  return [
    group,
    appliance,
    state,
    `${taken} of ${volumesMax}`,
    duration(pointEveryMs),
    last,
    policyText(retention),
    `${bytes(journal.bytes)} of ${bytes(retention.journalBytesMax)}`,
    String(journal.pointsDropped),
  ];
}

/** A policy in words. @example "all 1h, hourly 1d, daily 7d, weekly 28d" */
function policyText({ keepAllMs, hourlyMs, dailyMs, weeklyMs }: RetentionPolicy): string {
  const periods: readonly (readonly [string, number])[] = [
    ['all', keepAllMs],
    ['hourly', hourlyMs],
    ['daily', dailyMs],
    ['weekly', weeklyMs],
  ];
  const kept = periods.filter(([, ms]) => ms > 0).map(([name, ms]) => `${name} ${period(ms)}`);
  return kept.length === 0 ? 'the newest only' : kept.join(', ');
}

function alertLines({ group, journal: { alert } }: ListedGroup): string[] {
  return alert === undefined ? [] : [`Alert: ${group} since ${time(alert.sinceMs)}: ${printable(alert.message)}`];
}
