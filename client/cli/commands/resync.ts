// volume-mover resync: compares a volume with its replica and resends differences, or resends given
// ranges without comparing.
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseOrRefuse } from '../../../contracts/errors.js';
import { volumeIdSchema, type VolumeId } from '../../../contracts/ids.js';
import type { Range } from '../../../contracts/repair.js';
import type { SplitterVolume } from '../../../contracts/splitter-api.js';
import { rangesFound } from '../../volumes/repairs.js';
import type { MoverClient } from '../../sdk.js';
import { EXIT } from '../exit-code.js';
import { bytes } from '../../text/format.js';
import { operatorOption } from '../operator.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';
import { untilReplicated } from '../until-replicated.js';

interface ResyncFlags extends GlobalFlags {
  readonly ranges?: readonly Range[];
  readonly verified?: string;
  readonly operator?: string;
  readonly reason?: string;
  readonly wait?: boolean;
}

const RANGE = /^(\d+):(\d+)$/;

export function resyncCommand(context: CommandContext): Command {
  return new Command('resync')
    .description(
      'make a replica equal to its source again while the guest writes: compare the whole volume and send only what differs, or send the given ranges without comparing',
    )
    .argument('<volume>', 'the volume')
    .addOption(
      new Option('--ranges <offset:length,…>', 'send these bytes, for example 0:65536,1048576:4096')
        .argParser(parseRanges)
        .conflicts('verified'),
    )
    .option('--verified <verification-id>', 'send what this verification found to differ')
    .addOption(operatorOption(context, 'the hole'))
    .option('--reason <text>', 'why; shown with the hole')
    .option('--wait', 'wait until the replica has everything')
    .action(async (name: string, flags: ResyncFlags) =>
      runCommand(context, flags, async ({ client, output, signal }) => {
        const volume = parseOrRefuse(volumeIdSchema, name, 'volume');
        const ranges = flags.ranges ?? (await rangesVerified(client, volume, flags.verified));
        const { operator, reason } = flags;
        const view = await client.volumes.resync({
          volume,
          ...(ranges === undefined ? {} : { ranges: [...ranges] }),
          ...(operator === undefined ? {} : { operator }),
          ...(reason === undefined ? {} : { reason }),
        });
        output.progress(begun(view, ranges));
        const end = flags.wait === true ? await untilReplicated(client, volume, { output, signal }) : view;
        output.answer({ volume: end }, () =>
          flags.wait === true
            ? `The replica of ${volume} has everything that its source has.`
            : 'Progress: volume-mover volumes',
        );
        return EXIT.ok;
      }),
    );
}

function begun({ volume }: SplitterVolume, ranges: readonly Range[] | undefined): string {
  const what =
    ranges === undefined
      ? `Volume ${volume} is compared with its replica; what differs is sent again.`
      : `${bytes(ranges.reduce((sum, { length }) => sum + length, 0))} of volume ${volume} are sent again, in whole regions of 64 KiB.`;
  return `${what} The guest goes on. Until this is done no new recovery point contains the volume; existing points stay.`;
}

async function rangesVerified(
  client: MoverClient,
  volume: VolumeId,
  verification: string | undefined,
): Promise<readonly Range[] | undefined> {
  return verification === undefined ? undefined : rangesFound(await client.verifications.get(verification), volume);
}

function parseRanges(text: string): readonly Range[] {
  return text.split(',').map((word) => {
    const [, offset, length] = RANGE.exec(word.trim()) ?? [];
    if (offset === undefined || length === undefined)
      throw new InvalidArgumentError('Give offset:length in bytes, for example 0:65536,1048576:4096.');
    return { offset: Number(offset), length: Number(length) };
  });
}
