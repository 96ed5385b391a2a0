// volume-mover batch set-concurrency: changes limits of a running batch. Limits that are not named
// stay.
import { Command } from 'commander';
import { MoverError } from '../../../../contracts/errors.js';
import { parseCount } from '../../batch-parsers.js';
import { EXIT } from '../../exit-code.js';
import { type CommandContext, runCommand } from '../../session.js';
import { requestOf, type RequestFlags, withBatch, withRequest } from './batch-argument.js';

interface SetConcurrencyFlags extends RequestFlags {
  readonly perGroup?: number;
  readonly perAppliance?: number;
}

export function setConcurrencyCommand(context: CommandContext): Command {
  return withRequest(withBatch(new Command('set-concurrency')).argument('[n]', 'moves at once', parseCount))
    .description('change how many moves of a batch run at once, from now on; limits that are not named stay')
    .option('--per-group <n>', 'of one source group, and into one target group, at once', parseCount)
    .option('--per-appliance <n>', 'at one appliance at once', parseCount)
    .action(async (id: string, all: number | undefined, flags: SetConcurrencyFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const { perGroup, perAppliance } = flags;
        if (all === undefined && perGroup === undefined && perAppliance === undefined)
          throw new MoverError('INVALID_REQUEST', 'n: say how many moves at once, --per-group or --per-appliance.');
        const { batchId, progress } = await client.batches.get(id);
        const message = await client.batches.setConcurrency(batchId, {
          ...requestOf(flags, context.environment),
          concurrency: {
            ...progress?.concurrency,
            ...(all === undefined ? {} : { all }),
            ...(perGroup === undefined ? {} : { perSourceGroup: perGroup, perTargetGroup: perGroup }),
            ...(perAppliance === undefined ? {} : { perAppliance }),
          },
        });
        output.answer({ message }, () => message);
        return EXIT.ok;
      }),
    );
}
