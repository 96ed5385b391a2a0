// volume-mover batch set-concurrency: changes limits of a running batch. Limits that are not named
// stay.
import { Command } from 'commander';
import { MoverError } from '../../../../contracts/errors.js';
import { parseCount } from '../../batch-parsers.js';
import { EXIT } from '../../exit-code.js';
import { type CommandContext, runCommand } from '../../session.js';
import { requestOf, type RequestFlags, withRequest } from '../../request.js';
import { withBatch } from './batch-argument.js';

interface SetConcurrencyFlags extends RequestFlags {
  readonly perGroup?: number;
  readonly perAppliance?: number;
}

export function setConcurrencyCommand(context: CommandContext): Command {
  return withRequest(withBatch(new Command('set-concurrency')).argument('[n]', 'moves at the same time', parseCount))
    .description('change how many moves of a batch run at the same time; limits that are not given stay')
    .option('--per-group <n>', 'moves at the same time out of one group, and into one group', parseCount)
    .option('--per-appliance <n>', 'moves at the same time at one appliance', parseCount)
    .action(async (id: string, all: number | undefined, flags: SetConcurrencyFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const { perGroup, perAppliance } = flags;
        if (all === undefined && perGroup === undefined && perAppliance === undefined)
          throw new MoverError('INVALID_REQUEST', 'n: give a number of moves, --per-group or --per-appliance.');
        const { batchId, progress, state } = await client.batches.get(id);
        // The request replaces all limits, so that those it keeps must be known.
        if (state === 'running' && progress === undefined)
          throw new MoverError(
            'UNREACHABLE',
            `No worker tells the limits that batch "${batchId}" has now, so none was changed. Try again.`,
          );
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
