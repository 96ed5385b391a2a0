// volume-mover splitter: takes a splitter into use, lists what keeps it in use, and retires it.
import { Command } from 'commander';
import { parseOrRefuse } from '../../../contracts/errors.js';
import { type SplitterId, splitterIdSchema } from '../../../contracts/ids.js';
import type { DrainedVolume } from '../../processes/splitters.js';
import { bytes, counted } from '../../text/format.js';
import { printable } from '../../text/printable.js';
import { type ChangeFlags, DRY_RUN } from '../dry-run.js';
import { EXIT } from '../exit-code.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

export function splitterCommand(context: CommandContext): Command {
  return new Command('splitter')
    .description('take a splitter into use, list what keeps it in use, or end its use, while everything runs')
    .addCommand(addCommand(context))
    .addCommand(drainCommand(context))
    .addCommand(retireCommand(context));
}

function addCommand(context: CommandContext): Command {
  return new Command('add')
    .description('take a splitter of the estate file into use, or a retired one again: it must answer')
    .argument('<splitter>', 'the splitter')
    .option(...DRY_RUN)
    .action(async (name: string, flags: ChangeFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const splitter = parseOrRefuse(splitterIdSchema, name, 'splitter');
        const { dryRun = false } = flags;
        const { changed } = await client.splitters.add({ splitter, dryRun });
        output.answer({ splitter, changed, dryRun }, () => {
          if (dryRun && changed) return `Splitter ${splitter} can be brought back.`;
          return `Splitter ${splitter} answers. Protect its disks: volume-mover volume add <volume> --splitter ${splitter} --size-mib <mib>`;
        });
        return EXIT.ok;
      }),
    );
}

function drainCommand(context: CommandContext): Command {
  return new Command('drain')
    .description(
      'list the volumes that keep a splitter in use, and what stands against retiring each (exit code 1 if there are any); changes nothing',
    )
    .argument('<splitter>', 'the splitter')
    .action(async (name: string, flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const splitter = parseOrRefuse(splitterIdSchema, name, 'splitter');
        const volumes = await client.splitters.drain(splitter);
        output.answer({ splitter, volumes }, () => describe(splitter, volumes).join('\n'));
        return volumes.length === 0 ? EXIT.ok : EXIT.failed;
      }),
    );
}

function describe(splitter: SplitterId, volumes: readonly DrainedVolume[]): string[] {
  if (volumes.length === 0)
    return [`Splitter ${splitter} protects nothing. Next: volume-mover splitter retire ${splitter}`];
  return [
    `Splitter ${splitter} protects ${counted(volumes.length, 'volume')}:`,
    ...volumes.flatMap(({ volume, group, vm, sizeBytes, reasons }) => [
      `  ${volume}${vm === undefined ? '' : ` of ${printable(vm)}`} in ${group}, ${bytes(sizeBytes)}: ${reasons.length === 0 ? 'can be retired' : 'cannot be retired yet'}`,
      ...reasons.map(({ code, message }) => `    - ${printable(message)} (${code})`),
    ]),
    'A disk stays on its host. For each one, either:',
    '  bring it to another host with its guest, and add it there under another name:',
    '    volume-mover volume add <volume> --splitter <splitter> --size-mib <mib>',
    '  and then, or if nobody needs it any more, end its replication: volume-mover volume retire <volume>',
    `When none is left: volume-mover splitter retire ${splitter}`,
  ];
}

function retireCommand(context: CommandContext): Command {
  return new Command('retire')
    .description('end the use of a splitter that protects nothing: no volume can be added at it any more')
    .argument('<splitter>', 'the splitter')
    .option(...DRY_RUN)
    .action(async (name: string, flags: ChangeFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const splitter = parseOrRefuse(splitterIdSchema, name, 'splitter');
        const { dryRun = false } = flags;
        const { changed } = await client.splitters.retire({ splitter, dryRun });
        output.answer({ splitter, changed, dryRun }, () => {
          if (dryRun && changed) return `Splitter ${splitter} can be retired: it protects nothing.`;
          return `Splitter ${splitter} is retired. Stop its process, and remove it from the estate file.`;
        });
        return EXIT.ok;
      }),
    );
}
