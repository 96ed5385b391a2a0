// volume-mover schedule create: makes a schedule, or changes the one of that name.
import { Command, InvalidArgumentError, Option } from 'commander';
import type { BatchInput } from '../../../../contracts/batch.js';
import { parseJson } from '../../../../control/json-text.js';
import { assertScheduleInput, type ScheduleInput } from '../../../schedules/schedule-input.js';
import { withoutDefaults } from '../../../schedules/without-defaults.js';
import { gatheredList } from '../../batch-parsers.js';
import { batchInputOf, type BatchInputFlags, INPUT_HELP, withBatchFlags } from '../../batch-flags.js';
import { EXIT } from '../../exit-code.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../../session.js';
import { withoutUndefined } from '../../without-undefined.js';
import { catchUpOption, jitterOption, namingFlags, overlapIn, overlapOption, timeZoneOption } from './options.js';
import { uiFormLines } from './form-view.js';
import { scheduleLines } from './view.js';

interface ScheduleCreateFlags extends BatchInputFlags, GlobalFlags {
  readonly cron?: string[];
  readonly at?: readonly string[];
  readonly days?: readonly string[];
  readonly calendar?: unknown[];
  readonly timeZone?: string;
  readonly overlap?: string;
  readonly catchUp?: number;
  readonly jitter?: number;
  readonly pauseOnFailure: boolean;
  readonly note?: string;
  readonly paused?: true;
  readonly ui?: true;
}

const collected = (text: string, before: readonly string[] = []): string[] => [...before, text];

export function createCommand(context: CommandContext): Command {
  const command = new Command('create')
    .description('create a schedule of batches, or change the one of that name, which keeps its paused state')
    .argument('<schedule>', 'its name: letters, digits, ".", "_" and "-"')
    .addHelpText('after', `\n${INPUT_HELP}`);
  return withBatchFlags(command)
    .addOption(new Option('--cron <text>', "e.g. '0 1 * * *'; may be repeated").argParser(collected))
    .addOption(new Option('--at <times>', 'times of day, e.g. 01:00 or 01:00,13:30').argParser(gatheredList))
    .addOption(new Option('--days <days>', 'with --at: e.g. mon,tue (default: every day)').argParser(gatheredList))
    .addOption(
      new Option('--calendar <json>', 'Temporal\'s CalendarSpec, e.g. {"hour":1}; may be repeated').argParser(
        parseCalendar,
      ),
    )
    .addOption(timeZoneOption())
    .addOption(overlapOption('skip'))
    .addOption(catchUpOption('10m'))
    .addOption(jitterOption())
    .option('--no-pause-on-failure', 'go on after a batch that failed or was stopped by its failure policy')
    .option('--note <text>', 'shown with the schedule until it is paused or resumed')
    .option('--paused', 'create it paused; a schedule that exists stays paused or active as it is')
    .option('--ui', 'create nothing; print what to type into the schedule form of the Temporal UI')
    .action(async (name: string, flags: ScheduleCreateFlags) =>
      runCommand(context, flags, async ({ client: { schedules }, output }) => {
        const read = { environment: context.environment, operator: `schedule ${name}` };
        const batch = withoutDefaults(await batchInputOf(flags, read));
        if (flags.ui === true) {
          const form = await namingFlags(async () => schedules.uiFormFor(inputOf(name, flags, batch)));
          output.answer({ ...form }, () => uiFormLines(form).join('\n'));
          return EXIT.ok;
        }
        const made = await namingFlags(async () => schedules.create(inputOf(name, flags, batch)));
        const { schedule, created, groupsChecked } = made;
        output.answer({ created, groupsChecked, ...schedule }, () =>
          [
            `${created ? 'Created' : 'Changed'} schedule ${name}.`,
            ...(!created && flags.paused === true && !schedule.paused
              ? [`It is still active: a change keeps that. To pause it: volume-mover schedule pause ${name}`]
              : []),
            ...(groupsChecked
              ? []
              : [
                  'No appliance answered, so the names of its groups are not checked. To check them later: volume-mover groups',
                ]),
            ...scheduleLines(schedule),
          ].join('\n'),
        );
        return EXIT.ok;
      }),
    );
}

/**
 * Builds the input with times as typed; the schema explains any fault.
 * @throws MoverError INVALID_REQUEST
 */
function inputOf(name: string, flags: ScheduleCreateFlags, batch: BatchInput): ScheduleInput {
  const { cron, at, days, calendar, timeZone, catchUp, jitter, pauseOnFailure, note, paused } = flags;
  const input: unknown = withoutUndefined({
    name,
    cron,
    at,
    days,
    calendars: calendar,
    timeZone,
    batch,
    ...overlapIn(flags),
    catchUpMs: catchUp,
    jitterMs: jitter,
    pauseOnFailure,
    note,
    paused,
  });
  assertScheduleInput(input);
  return input;
}

function parseCalendar(text: string, before: readonly unknown[] = []): unknown[] {
  try {
    return [...before, parseJson(text)];
  } catch {
    throw new InvalidArgumentError('Give a JSON object, e.g. {"hour":1,"dayOfWeek":["MONDAY"]}.');
  }
}
