// volume-mover rebuild: makes a volume's history at the replica site usable again. The splitter
// then compares the volume.
import { Command } from 'commander';
import { parseOrRefuse } from '../../../contracts/errors.js';
import { volumeIdSchema } from '../../../contracts/ids.js';
import { EXIT } from '../exit-code.js';
import { operatorOption } from '../operator.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

interface RebuildFlags extends GlobalFlags {
  readonly operator?: string;
  readonly reason?: string;
}

export function rebuildCommand(context: CommandContext): Command {
  return new Command('rebuild')
    .description(
      "repair a volume's history at the replica site: keep what is sound and begin a new lineage; the splitter then compares the volume by itself",
    )
    .argument('<volume>', 'the volume')
    .addOption(operatorOption(context, 'the lineage'))
    .option('--reason <text>', 'why; kept with the lineage')
    .action(async (name: string, flags: RebuildFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const { operator, reason } = flags;
        const rebuilt = await client.volumes.rebuild({
          volume: parseOrRefuse(volumeIdSchema, name, 'volume'),
          ...(operator === undefined ? {} : { operator }),
          ...(reason === undefined ? {} : { reason }),
        });
        output.answer({ rebuilt }, () =>
          [
            `The history of ${name} goes on as lineage ${rebuilt.lineage}, from position ${rebuilt.position}.`,
            `Its splitter compares the volume with its replica now, and sends what differs: volume-mover volumes. What can be recovered: volume-mover points ${name}`,
          ].join('\n'),
        );
        return EXIT.ok;
      }),
    );
}
