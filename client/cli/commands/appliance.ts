// volume-mover appliance: takes an appliance into use, moves everything away from it, retires it.
import { Command } from 'commander';
import { parseOrRefuse } from '../../../contracts/errors.js';
import { type ApplianceId, applianceIdSchema, type GroupId, groupIdSchema } from '../../../contracts/ids.js';
import type { ApplianceDrain, DrainedGroup } from '../../processes/appliances.js';
import { counted } from '../../text/format.js';
import { type BatchOptionFlags, optionsOf, withBatchOptions } from '../batch-flags.js';
import { gatheredMap } from '../batch-parsers.js';
import { type ChangeFlags, DRY_RUN } from '../dry-run.js';
import { EXIT } from '../exit-code.js';
import { followBatch } from '../follow-batch.js';
import { operatorOf } from '../operator.js';
import { type CommandContext, runCommand } from '../session.js';

interface DrainFlags extends ChangeFlags, BatchOptionFlags {
  readonly to?: string;
  readonly map?: Readonly<Record<string, string>>;
  readonly operator?: string;
  readonly reason?: string;
  readonly wait?: boolean;
}

export function applianceCommand(context: CommandContext): Command {
  return new Command('appliance')
    .description('take an appliance into use, move everything away from it, or end its use, while everything runs')
    .addCommand(addCommand(context))
    .addCommand(drainCommand(context))
    .addCommand(retireCommand(context));
}

function addCommand(context: CommandContext): Command {
  return new Command('add')
    .description(
      'take an appliance of the estate file into use, or a retired one again: it must answer and reach the replica site',
    )
    .argument('<appliance>', 'the appliance')
    .option(...DRY_RUN)
    .action(async (name: string, flags: ChangeFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const appliance = parseOrRefuse(applianceIdSchema, name, 'appliance');
        const { dryRun = false } = flags;
        const { changed } = await client.appliances.add({ appliance, dryRun });
        output.answer({ appliance, changed, dryRun }, () => {
          if (dryRun && changed) return `Appliance ${appliance} can be brought back.`;
          return `Appliance ${appliance} answers and reaches the replica site. Give it groups: volume-mover group add <group> --appliance ${appliance}`;
        });
        return EXIT.ok;
      }),
    );
}

function drainCommand(context: CommandContext): Command {
  const command = new Command('drain')
    .description('move all volumes of its groups to groups of other appliances, in one batch; its groups stay, empty')
    .argument('<appliance>', 'the appliance')
    .option('--to <group>', 'the group that all of them move to')
    .option('--map <from=to,…>', 'the target group for each of its groups', gatheredMap);
  return withBatchOptions(command)
    .option('--dry-run', 'plan every move and change nothing')
    .option('--operator <name>', 'who asks; kept in the reports (default: your login name)')
    .option('--reason <text>', 'why; kept in the reports')
    .option('--wait', 'follow the batch to its end; exit code 1 unless every move succeeded')
    .action(async (name: string, flags: DrainFlags) =>
      runCommand(context, flags, async ({ client, output, signal }) => {
        const appliance = parseOrRefuse(applianceIdSchema, name, 'appliance');
        const { to, map = {}, dryRun = false, wait = false, reason } = flags;
        const drain = await client.appliances.drain({
          appliance,
          to: to === undefined ? undefined : parseOrRefuse(groupIdSchema, to, '--to'),
          map: groupsOf(map),
          dryRun,
          options: optionsOf(flags),
          operator: flags.operator ?? operatorOf(context.environment),
          reason,
        });
        const { groups, batch } = drain;
        if (batch === undefined || !(wait || dryRun)) {
          output.answer({ appliance, groups, batch, dryRun }, () => describeDrain(appliance, drain).join('\n'));
          return EXIT.ok;
        }
        for (const line of describeDrain(appliance, drain)) output.progress(line);
        return await followBatch(client, batch.batchId, output, signal);
      }),
    );
}

function groupsOf(map: Readonly<Record<string, string>>): Record<string, GroupId> {
  return Object.fromEntries(
    Object.entries(map).map(([from, to]) => [
      parseOrRefuse(groupIdSchema, from, '--map'),
      parseOrRefuse(groupIdSchema, to, '--map'),
    ]),
  );
}

function describeDrain(appliance: ApplianceId, { groups, batch }: ApplianceDrain): string[] {
  if (groups.length === 0)
    return [`Appliance ${appliance} serves no group. Next: volume-mover appliance retire ${appliance}`];
  return [
    `Appliance ${appliance} serves:`,
    ...groups.map((group) => `  ${lineOf(group)}`),
    ...(batch === undefined ? [] : [`Batch ${batch.batchId}`, ...(batch.url === undefined ? [] : [`  ${batch.url}`])]),
    batch === undefined ? 'No volume has to be moved. Next:' : 'When every volume has moved:',
    ...groups.map(
      ({ group }) => `  volume-mover group set ${group} --appliance <another>, or volume-mover group retire ${group}`,
    ),
    `  volume-mover appliance retire ${appliance}`,
  ];
}

function lineOf({ group, volumes, to, appliance }: DrainedGroup): string {
  if (to === undefined) return `${group}, without volumes`;
  return `${group}: ${counted(volumes, 'volume')} to ${to} at ${appliance}`;
}

function retireCommand(context: CommandContext): Command {
  return new Command('retire')
    .description(
      'end the use of an appliance that serves no group and no open image: nothing can be given to it any more',
    )
    .argument('<appliance>', 'the appliance')
    .option(...DRY_RUN)
    .action(async (name: string, flags: ChangeFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const appliance = parseOrRefuse(applianceIdSchema, name, 'appliance');
        const { dryRun = false } = flags;
        const { changed } = await client.appliances.retire({ appliance, dryRun });
        output.answer({ appliance, changed, dryRun }, () => {
          if (dryRun && changed) return `Appliance ${appliance} can be retired: it serves nothing.`;
          return `Appliance ${appliance} is retired. Stop its process, and remove it from the estate file.`;
        });
        return EXIT.ok;
      }),
    );
}
