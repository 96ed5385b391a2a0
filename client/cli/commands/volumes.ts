// volume-mover volumes: every protected volume, its group, and the state of its replication.
import { Command } from 'commander';
import { parseOrRefuse } from '../../../contracts/errors.js';
import { groupIdSchema } from '../../../contracts/ids.js';
import type { ListedVolume, VolumeFilter } from '../../volumes/inventory.js';
import { EXIT } from '../exit-code.js';
import { gathered, labelsOf } from '../label-flags.js';
import { bytes } from '../../text/format.js';
import { table } from '../../text/table.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

const TITLES = ['VOLUME', 'VM', 'SIZE', 'GROUP', 'EPOCH', 'SPLITTER', 'MODE', 'UNCONFIRMED', 'UNDISTRIBUTED', 'MOVE'];

/** Columns that a narrow terminal may leave out, the least important first. */
const OPTIONAL = ['UNDISTRIBUTED', 'EPOCH', 'SPLITTER', 'VM', 'UNCONFIRMED'];
interface VolumesFlags extends GlobalFlags {
  readonly group?: string;
  readonly vm?: string;
  readonly name?: string;
  readonly label: readonly string[];
}

export function volumesCommand(context: CommandContext): Command {
  return new Command('volumes')
    .description('list the protected volumes; with options, those that match all of them')
    .option('--group <group>', 'in this consistency group now')
    .option('--vm <name>', 'disks of this virtual machine')
    .option('--name <pattern>', 'whose id matches: * is any characters, ? is one')
    .option('--label <name=value>', 'with this label; repeat the flag to require several', gathered, [])
    .action(async (flags: VolumesFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const volumes = await client.volumes.list(filterOf(flags));
        output.answer({ volumes }, (columns) =>
          [
            table(TITLES, volumes.map(row), { columns, optional: OPTIONAL }),
            ...volumes.flatMap(({ unusable }) => unusable ?? []),
          ].join('\n'),
        );
        return EXIT.ok;
      }),
    );
}

/** Builds the filter. @throws MoverError INVALID_REQUEST */
function filterOf({ group, vm, name, label }: VolumesFlags): VolumeFilter {
  return {
    ...(group === undefined ? {} : { group: parseOrRefuse(groupIdSchema, group, '--group') }),
    ...(vm === undefined ? {} : { vm }),
    ...(name === undefined ? {} : { namePattern: name }),
    ...(label.length === 0 ? {} : { labels: labelsOf(label) }),
  };
}

function row(volume: ListedVolume): string[] {
  const view = volume.splitterView;
  return [
    volume.volume,
    volume.vm ?? '-',
    bytes(volume.sizeBytes),
    volume.group,
    String(volume.epoch),
    volume.splitter,
    view === undefined ? missingView(volume) : modeOf(view, volume.stalls),
    view === undefined ? '-' : bytes(view.unconfirmedBytes),
    bytes(volume.undistributedBytes),
    volume.openAttempt === undefined ? '-' : volume.openAttempt.move,
  ];
}

/** Text in place of the mode for a volume that nobody protects. */
function missingView({ unusable }: ListedVolume): string {
  return unusable === undefined ? 'UNREACHABLE' : 'UNUSABLE';
}

function modeOf(
  { mode, connected, stalled, source, initialization }: NonNullable<ListedVolume['splitterView']>,
  stalls: ListedVolume['stalls'] = [],
): string {
  if (source.state !== 'present') return `SOURCE ${source.state.toUpperCase()}`;
  // Nothing is confirmed then, whatever the splitter could send.
  if (stalls.some(({ part }) => part === 'intake')) return "STOPPED, the replica site's disk";
  if (!connected) return `${mode}, not connected`;
  if (initialization !== undefined && initialization.doubtedRegions > 0)
    return `${mode}, ${initialization.doubtedRegions} to compare`;
  return stalled === undefined ? mode : `${mode}, stalled`;
}
