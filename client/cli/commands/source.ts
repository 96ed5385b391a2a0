// volume-mover source: a person's decision about a volume whose disk is missing, foreign or
// unproven.
import { Command } from 'commander';
import { parseOrRefuse } from '../../../contracts/errors.js';
import { pointIdSchema, volumeIdSchema } from '../../../contracts/ids.js';
import type { SourceDecision } from '../../../contracts/repair.js';
import { EXIT } from '../exit-code.js';
import { operatorOf } from '../operator.js';
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
    'begin with an empty disk: guests get zeroes, and the replica becomes empty too; its recovery points stay',
  accept: 'take the disk that is there as it is: the replica is made like it; its recovery points stay',
  recover:
    'make the disk anew from the replica: guests get I/O errors until it is done, then find it as it was at the recovery point',
};
const DONE: Readonly<Record<SourceDecision, string>> = {
  'accept-blank': 'has an empty disk now. Its replica is made like it',
  accept: 'is used as it is now. Its replica is made like it',
  recover: 'is being made anew from its replica; guests get I/O errors until it is done',
};

export function sourceCommand(context: CommandContext): Command {
  const source = new Command('source').description(
    'decide for a volume whose source is missing, foreign or unproven, as volume-mover volumes says',
  );
  for (const decision of ['accept-blank', 'accept', 'recover'] as const)
    source.addCommand(decisionCommand(context, decision));
  return source;
}

function decisionCommand(context: CommandContext, decision: SourceDecision): Command {
  const command = new Command(decision)
    .description(DESCRIPTIONS[decision])
    .argument('<volume>', 'the volume')
    .option('--operator <name>', 'who decides; shown with the hole', operatorOf(context.environment))
    .option('--reason <text>', 'why; shown with the hole')
    .option('--wait', 'until the replica is like the disk');
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
      output.progress(`Volume ${volume} ${DONE[decision]}. No new recovery point contains it until then.`);
      const end = flags.wait === true ? await untilReplicated(client, volume, { output, signal }) : view;
      output.answer({ volume: end }, () =>
        flags.wait === true
          ? `The disk of ${volume} is in use, and its replica is like it.`
          : 'How far it is: volume-mover volumes',
      );
      return EXIT.ok;
    }),
  );
}
