// volume-mover volumes: every protected volume, where it belongs and how its replication stands.
import { Command } from 'commander';
import type { ListedVolume } from '../../inventory.js';
import { EXIT } from '../exit-code.js';
import { bytes, table } from '../format.js';
import { type CommandContext, type GlobalOptions, runCommand } from '../session.js';

const TITLES = ['VOLUME', 'SIZE', 'GROUP', 'EPOCH', 'SPLITTER', 'MODE', 'UNCONFIRMED', 'UNDISTRIBUTED', 'MOVE'];

export function volumesCommand(context: CommandContext): Command {
  return new Command('volumes').description('list the protected volumes').action(async (options: GlobalOptions) =>
    runCommand(context, options, async ({ client, output }) => {
      const volumes = await client.listVolumes();
      output.answer({ volumes }, () => table(TITLES, volumes.map(row)));
      return EXIT.ok;
    }),
  );
}

function row(volume: ListedVolume): string[] {
  const view = volume.splitterView;
  return [
    volume.volume,
    bytes(volume.sizeBytes),
    volume.group,
    String(volume.epoch),
    volume.splitter,
    view === undefined ? 'UNREACHABLE' : modeOf(view),
    view === undefined ? '-' : bytes(view.unconfirmedBytes),
    bytes(volume.undistributedBytes),
    volume.openAttempt === undefined ? '-' : volume.openAttempt.move,
  ];
}

function modeOf({ mode, connected }: NonNullable<ListedVolume['splitterView']>): string {
  return connected ? mode : `${mode}, not connected`;
}
