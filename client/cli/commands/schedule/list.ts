// volume-mover schedule list: every schedule of batches, its times, its last runs, and warnings.
import { Command } from 'commander';
import type { ListedSchedules, Schedule } from '../../../schedules/schedules.js';
import { printable } from '../../../text/printable.js';
import { EXIT } from '../../exit-code.js';
import { time } from '../../../text/format.js';
import { table } from '../../../text/table.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../../session.js';
import { scheduleStateText, warningLines } from './view.js';

const TITLES = ['NAME', 'RUNS', 'NEXT', 'LAST', 'STATE'];
/** Columns that a narrow terminal may leave out, the least important first. */
const OPTIONAL = ['LAST'];
export function listCommand(context: CommandContext): Command {
  return new Command('list')
    .description('list the schedules, with warnings about likely mistakes')
    .action(async (flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const listed = await client.schedules.list();
        output.answer({ ...listed }, (columns) => listLines(listed, columns).join('\n'));
        return EXIT.ok;
      }),
    );
}

function listLines({ schedules, unreadable, foreign }: ListedSchedules, columns: number | undefined): string[] {
  const warned = schedules.filter(({ warnings }) => warnings.length > 0);
  return [
    schedules.length === 0 ? 'No schedules.' : table(TITLES, schedules.map(row), { columns, optional: OPTIONAL }),
    ...warned.flatMap((schedule) => ['', `${schedule.name}:`, ...warningLines(schedule)]),
    ...unreadable.map(({ name, message }) => `\n${printable(name)} cannot be read: ${printable(message)}`),
    ...(foreign === 0 ? [] : [`\n${foreign} other schedules of this namespace do not belong to volume-mover.`]),
  ];
}

function row(schedule: Schedule): string[] {
  const { name, when, nextRunsMs, lastRuns } = schedule;
  const [next] = nextRunsMs;
  const [last] = lastRuns;
  return [
    printable(name),
    when,
    next === undefined ? '-' : time(next),
    last === undefined ? '-' : `${time(last.startedAtMs)} ${last.outcome}`,
    scheduleStateText(schedule),
  ];
}
