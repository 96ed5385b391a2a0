// volume-mover group: adds, changes and ends consistency groups while everything runs.
import { Command, Option } from 'commander';
import { invalidField, parseOrRefuse } from '../../../contracts/errors.js';
import { applianceIdSchema, groupIdSchema } from '../../../contracts/ids.js';
import type { RetentionPolicy } from '../../../contracts/retention.js';
import { DRY_RUN } from '../dry-run.js';
import { EXIT } from '../exit-code.js';
import { DURATION_FORM, parseDuration } from '../parse-duration.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';
import { wholeNumber } from '../whole-number.js';

interface GroupFlags extends GlobalFlags {
  readonly appliance?: string;
  readonly pointEvery?: number;
  readonly volumesMax?: number;
  /** False after --no-rpo. */
  readonly rpo?: number | false;
  readonly keepAll?: number;
  readonly hourly?: number;
  readonly daily?: number;
  readonly weekly?: number;
  readonly dryRun?: boolean;
}

export function groupCommand(context: CommandContext): Command {
  return new Command('group')
    .description('add, change or end a consistency group while everything runs')
    .addCommand(addCommand(context))
    .addCommand(setCommand(context))
    .addCommand(retireCommand(context));
}

function addCommand(context: CommandContext): Command {
  return withSettings(new Command('add'), true)
    .description('add a group, or bring a retired one back; write it into the estate file too')
    .action(async (name: string, flags: GroupFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const group = parseOrRefuse(groupIdSchema, name, 'group');
        const { dryRun = false } = flags;
        const { retention, rpoMsMax, ...settings } = settingsOf(flags);
        const appliance = parseOrRefuse(applianceIdSchema, flags.appliance, '--appliance');
        const { changed } = await client.groups.add({
          group,
          ...settings,
          appliance,
          ...(typeof rpoMsMax === 'number' ? { rpoMsMax } : {}),
          ...(retention === undefined ? {} : { retention }),
          dryRun,
        });
        output.answer({ group, changed, dryRun }, () =>
          said(
            changed,
            dryRun,
            `Group ${group}`,
            'added',
            `It is served by ${appliance}. Write it into the estate file too.`,
          ),
        );
        return EXIT.ok;
      }),
    );
}

function setCommand(context: CommandContext): Command {
  return withSettings(new Command('set'), false)
    .option('--no-rpo', 'the RPO is what the interval of points allows')
    .description('change the settings of a group that are given; correct the estate file too')
    .action(async (name: string, flags: GroupFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const group = parseOrRefuse(groupIdSchema, name, 'group');
        const { dryRun = false } = flags;
        const settings = settingsOf(flags);
        if (Object.keys(settings).length === 0)
          throw invalidField('group', 'name what changes, for example --point-every 10s');
        const { changed } = await client.groups.set({ group, ...settings, dryRun });
        output.answer({ group, changed, dryRun }, () =>
          said(changed, dryRun, `Group ${group}`, 'changed', 'Correct the estate file too.'),
        );
        return EXIT.ok;
      }),
    );
}

function retireCommand(context: CommandContext): Command {
  return new Command('retire')
    .description('end a group that owns no volumes; its recovery points are kept as long as its policy says')
    .argument('<group>', 'the group')
    .option(...DRY_RUN)
    .action(async (name: string, flags: GroupFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const group = parseOrRefuse(groupIdSchema, name, 'group');
        const { dryRun = false } = flags;
        const { changed } = await client.groups.retire({ group, dryRun });
        output.answer({ group, changed, dryRun }, () =>
          said(changed, dryRun, `Group ${group}`, 'retired', 'Remove it from the estate file too.'),
        );
        return EXIT.ok;
      }),
    );
}

function withSettings(command: Command, isNew: boolean): Command {
  const appliance = new Option('--appliance <appliance>', 'the appliance that serves it');
  command.argument('<group>', 'the group').addOption(isNew ? appliance.makeOptionMandatory() : appliance);
  return command
    .option('--point-every <time>', `how often a recovery point is closed; ${DURATION_FORM}`, parseDuration)
    .option('--volumes-max <count>', 'how many volumes it takes', wholeNumber)
    .option('--rpo <time>', 'how old its newest recoverable state may be before an alert says so', parseDuration)
    .option('--keep-all <time>', 'how long every point is kept', parseDuration)
    .option('--hourly <time>', 'how long one point an hour is kept', parseDuration)
    .option('--daily <time>', 'how long one point a day is kept', parseDuration)
    .option('--weekly <time>', 'how long one point a week is kept', parseDuration)
    .option(...DRY_RUN);
}

function settingsOf({ appliance, pointEvery, volumesMax, rpo, keepAll, hourly, daily, weekly }: GroupFlags) {
  const retention: Partial<RetentionPolicy> = {
    ...(keepAll === undefined ? {} : { keepAllMs: keepAll }),
    ...(hourly === undefined ? {} : { hourlyMs: hourly }),
    ...(daily === undefined ? {} : { dailyMs: daily }),
    ...(weekly === undefined ? {} : { weeklyMs: weekly }),
  };
  return {
    ...(appliance === undefined ? {} : { appliance: parseOrRefuse(applianceIdSchema, appliance, '--appliance') }),
    ...(pointEvery === undefined ? {} : { pointEveryMs: pointEvery }),
    ...(volumesMax === undefined ? {} : { volumesMax }),
    ...(rpo === undefined ? {} : { rpoMsMax: rpo === false ? null : rpo }),
    ...(Object.keys(retention).length === 0 ? {} : { retention }),
  };
}

function said(changed: boolean, dryRun: boolean, what: string, done: string, next: string): string {
  if (!changed) return `${what} is as asked already. Nothing to do.`;
  return dryRun ? `${what} can be ${done}.` : `${what} is ${done}. ${next}`;
}
