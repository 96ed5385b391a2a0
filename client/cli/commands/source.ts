// volume-mover source: a person's decision about a volume whose disk is missing, foreign or
// unproven.
import { Command } from 'commander';
import { parseOrRefuse } from '../../../contracts/errors.js';
import { pointIdSchema, volumeIdSchema } from '../../../contracts/ids.js';
import type { SourceDecision } from '../../../contracts/repair.js';
import { EXIT } from '../exit-code.js';
import { operatorOption } from '../operator.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';
import { untilReplicated } from '../until-replicated.js';

interface SourceFlags extends GlobalFlags {
  readonly point?: string;
  readonly operator?: string;
  readonly reason?: string;
  readonly wait?: boolean;
}

const DESCRIPTIONS: Readonly<Record<SourceDecision, string>> = {
  'accept-blank':
    'begin with an empty disk: guests read zeroes, and the replica becomes empty too; existing recovery points stay',
  accept: 'use the disk that is there as it is: the replica becomes equal to it; existing recovery points stay',
  recover:
    'make the disk from the replica: guests get I/O errors until it is done, then see the disk as of the recovery point',
};
const DONE: Readonly<Record<SourceDecision, string>> = {
  'accept-blank': 'has an empty disk now, and its replica is made equal to it',
  accept: 'uses its disk as it is, and its replica is made equal to it',
  recover: 'gets its disk back from the replica; guests get I/O errors until that is done',
};

export function sourceCommand(context: CommandContext): Command {
  const source = new Command('source').description(
    'decide about a volume that volume-mover volumes shows as SOURCE MISSING, FOREIGN or UNPROVEN',
  );
  for (const decision of ['accept-blank', 'accept', 'recover'] as const)
    source.addCommand(decisionCommand(context, decision));
  return source;
}

function decisionCommand(context: CommandContext, decision: SourceDecision): Command {
  const command = new Command(decision)
    .description(DESCRIPTIONS[decision])
    .argument('<volume>', 'the volume')
    .addOption(operatorOption(context, 'the hole'))
    .option('--reason <text>', 'why; shown with the hole')
    .option('--wait', 'wait until the replica equals the disk');
  if (decision === 'recover')
    command.option('--point <id>', 'the recovery point (default: the newest that contains the volume)');
  return command.action(async (name: string, flags: SourceFlags) =>
    runCommand(context, flags, async ({ client, output, signal }) => {
      const volume = parseOrRefuse(volumeIdSchema, name, 'volume');
      const { point, operator, reason } = flags;
      const view = await client.volumes.decideSource({
        volume,
        decision,
        ...(point === undefined ? {} : { point: parseOrRefuse(pointIdSchema, point, '--point') }),
        ...(operator === undefined ? {} : { operator }),
        ...(reason === undefined ? {} : { reason }),
      });
      output.progress(
        `Volume ${volume} ${DONE[decision]}. Until its replica equals its disk, no new recovery point contains the volume.`,
      );
      const end = flags.wait === true ? await untilReplicated(client, volume, { output, signal }) : view;
      output.answer({ volume: end }, () =>
        flags.wait === true
          ? `The disk of ${volume} is in use, and its replica equals it.`
          : 'Progress: volume-mover volumes',
      );
      return EXIT.ok;
    }),
  );
}
