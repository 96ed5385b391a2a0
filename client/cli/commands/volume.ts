// volume-mover volume: adds, grows, changes, retires and forgets volumes while everything runs.
import { Command } from 'commander';
import { invalidField, parseOrRefuse } from '../../../contracts/errors.js';
import { groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../../contracts/ids.js';
import { DRY_RUN } from '../dry-run.js';
import { EXIT } from '../exit-code.js';
import { gathered, labelsOf } from '../label-flags.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';
import { untilReplicated } from '../until-replicated.js';
import { sizeInMiB } from '../size-in-mib.js';
import { wholeNumber } from '../whole-number.js';

interface AddFlags extends GlobalFlags {
  readonly splitter: string;
  readonly sizeMib: number;
  readonly group?: string;
  readonly vm?: string;
  readonly label: readonly string[];
  readonly dryRun?: boolean;
  readonly wait?: boolean;
}

interface SetFlags extends GlobalFlags {
  /** False after --no-vm. */
  readonly vm?: string | false;
  readonly label: readonly string[];
  /** False after --no-labels. */
  readonly labels: boolean;
  readonly dryRun?: boolean;
}

interface ForgetFlags extends GlobalFlags {
  readonly confirm: string;
  readonly dryRun?: boolean;
}

interface GrowFlags extends GlobalFlags {
  readonly size: number;
  readonly dryRun?: boolean;
}

interface RetireFlags extends GlobalFlags {
  readonly unsynced?: boolean;
  readonly dryRun?: boolean;
}

export function volumeCommand(context: CommandContext): Command {
  return new Command('volume')
    .description(
      'add a volume, make it larger, change its names, end its replication, or forget it, while everything runs',
    )
    .addCommand(addCommand(context))
    .addCommand(growCommand(context))
    .addCommand(setCommand(context))
    .addCommand(retireCommand(context))
    .addCommand(forgetCommand(context));
}

function addCommand(context: CommandContext): Command {
  return new Command('add')
    .description('serve and protect one more volume; write it into the estate file too')
    .argument('<volume>', 'its name')
    .requiredOption('--splitter <splitter>', 'the host that has the disk')
    .requiredOption('--size-mib <mib>', 'its size in MiB', wholeNumber)
    .option(
      '--group <group>',
      'the consistency group it starts in (default: what "protect" in the estate file says of its labels)',
    )
    .option('--vm <name>', 'the virtual machine that owns the disk')
    .option('--label <name=value>', 'a label; repeat the flag for several', gathered, [])
    .option(...DRY_RUN)
    .option('--wait', 'wait until the replica has everything')
    .action(async (name: string, flags: AddFlags) =>
      runCommand(context, flags, async ({ client, output, signal }) => {
        const volume = parseOrRefuse(volumeIdSchema, name, 'volume');
        const { dryRun = false, vm, sizeMib, label } = flags;
        const { changed, group } = await client.volumes.add({
          volume,
          splitter: parseOrRefuse(splitterIdSchema, flags.splitter, '--splitter'),
          sizeMiB: sizeMib,
          ...(flags.group === undefined ? {} : { group: parseOrRefuse(groupIdSchema, flags.group, '--group') }),
          ...(vm === undefined ? {} : { vm }),
          ...(label.length === 0 ? {} : { labels: labelsOf(label) }),
          dryRun,
        });
        if (flags.wait === true && !dryRun) await untilReplicated(client, volume, { output, signal });
        output.answer({ volume, group, changed, dryRun }, () => {
          if (!changed) return `Volume ${volume} is there already. Nothing to do.`;
          if (dryRun)
            return `Volume ${volume} can be added: the replica site takes it in, then ${flags.splitter} serves it. Its group is ${group}.`;
          return `Volume ${volume} is served by ${flags.splitter} and protected in ${group}. Write it into the estate file too.`;
        });
        return EXIT.ok;
      }),
    );
}

function setCommand(context: CommandContext): Command {
  return new Command('set')
    .description('change the VM or the labels of a volume, by which people select it; correct the estate file too')
    .argument('<volume>', 'the volume')
    .option('--vm <name>', 'the virtual machine that owns the disk')
    .option('--no-vm', 'no virtual machine owns it')
    .option('--label <name=value>', 'a label; those given are all that it has from now on', gathered, [])
    .option('--no-labels', 'no labels')
    .option(...DRY_RUN)
    .action(async (name: string, flags: SetFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const volume = parseOrRefuse(volumeIdSchema, name, 'volume');
        const { dryRun = false, vm, label, labels } = flags;
        if (vm === undefined && labels && label.length === 0)
          throw invalidField('volume', 'name what changes: --vm, --no-vm, --label or --no-labels');
        const { changed } = await client.volumes.set({
          volume,
          ...(vm === undefined ? {} : { vm: vm === false ? null : vm }),
          ...(labels && label.length === 0 ? {} : { labels: labelsOf(label) }),
          dryRun,
        });
        output.answer({ volume, changed, dryRun }, () => {
          if (!changed) return `Volume ${volume} is as asked already. Nothing to do.`;
          return dryRun
            ? `Volume ${volume} can be changed.`
            : `Volume ${volume} is changed. Correct the estate file too.`;
        });
        return EXIT.ok;
      }),
    );
}

function growCommand(context: CommandContext): Command {
  return new Command('grow')
    .description(
      'make a volume larger while guests write; they see the new size at their next connection, and earlier points keep theirs',
    )
    .argument('<volume>', 'the volume')
    .requiredOption('--size <size>', 'its new size: 96MiB, 2GiB, 1TiB', sizeInMiB)
    .option(...DRY_RUN)
    .action(async (name: string, flags: GrowFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const volume = parseOrRefuse(volumeIdSchema, name, 'volume');
        const { dryRun = false, size: sizeMiB } = flags;
        const { changed } = await client.volumes.grow({ volume, sizeMiB, dryRun });
        output.answer({ volume, changed, dryRun }, () => {
          if (!changed) return `Volume ${volume} has ${sizeMiB} MiB already. Nothing to do.`;
          if (dryRun)
            return `Volume ${volume} can be made ${sizeMiB} MiB large: the replica site accepts it, then its splitter has it.`;
          return `Volume ${volume} has ${sizeMiB} MiB. Guests see it at their next connection. Write sizeMiB into the estate file too.`;
        });
        return EXIT.ok;
      }),
    );
}

function retireCommand(context: CommandContext): Command {
  return new Command('retire')
    .description(
      "end a volume's replication for good: it leaves its group; its recovery points are kept as long as they were promised, and its disk stays",
    )
    .argument('<volume>', 'the volume')
    .option('--unsynced', 'also if not everything of it has reached the replica site')
    .option(...DRY_RUN)
    .action(async (name: string, flags: RetireFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const volume = parseOrRefuse(volumeIdSchema, name, 'volume');
        const { dryRun = false, unsynced = false } = flags;
        const { changed } = await client.volumes.retire({ volume, unsynced, dryRun });
        output.answer({ volume, changed, dryRun }, () => {
          if (!changed) return `Volume ${volume} is retired already. Nothing to do.`;
          if (dryRun)
            return `Volume ${volume} can be retired: its splitter stops serving it, then it leaves its group.`;
          return `Volume ${volume} is retired. Its disk and its recovery points stay: volume-mover points ${volume}. Remove it from the estate file too.`;
        });
        return EXIT.ok;
      }),
    );
}

function forgetCommand(context: CommandContext): Command {
  return new Command('forget')
    .description(
      'remove all that is left of a retired volume: its recovery points, journal and rows; its disk stays, and its name is free',
    )
    .argument('<volume>', 'the volume')
    .requiredOption('--confirm <volume>', 'its name once more: what is removed does not come back')
    .option(...DRY_RUN)
    .action(async (name: string, flags: ForgetFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const volume = parseOrRefuse(volumeIdSchema, name, 'volume');
        const { dryRun = false } = flags;
        const confirm = parseOrRefuse(volumeIdSchema, flags.confirm, '--confirm');
        const { changed } = await client.volumes.forget({ volume, confirm, dryRun });
        output.answer({ volume, changed, dryRun }, () => {
          if (!changed) return `Nothing is left of a volume ${volume}. Nothing to do.`;
          if (dryRun)
            return `Volume ${volume} can be forgotten: its points and its journal at the replica site go, then its splitter's row.`;
          return `Volume ${volume} is forgotten, and its name is free. Its disk stays. An estate file that still has it adds it anew at the next start.`;
        });
        return EXIT.ok;
      }),
    );
}
