// volume-mover schedule list: every schedule of batches, its times, its last runs, and warnings.
import { Command } from 'commander';
import type { ListedSchedules, Schedule } from '../../../schedules/schedules.js';
import { printable } from '../../../text/printable.js';
import { EXIT } from '../../exit-code.js';
import { table, time } from '../../../text/format.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../../session.js';
import { scheduleStateText, warningLines } from './view.js';

export function listCommand(context: CommandContext): Command {
  return new Command('list')
    .description('list the schedules, with warnings about likely mistakes')
    .action(async (flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const listed = await client.schedules.list();
        output.answer({ ...listed }, () => listLines(listed).join('\n'));
        return EXIT.ok;
      }),
    );
}

function listLines({ schedules, unreadable, foreign }: ListedSchedules): string[] {
  const warned = schedules.filter(({ warnings }) => warnings.length > 0);
  return [
    schedules.length === 0 ? 'No schedules.' : table(['NAME', 'RUNS', 'NEXT', 'LAST', 'STATE'], schedules.map(row)),
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
