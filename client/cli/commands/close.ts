// volume-mover close: closes an image access.
import { Command } from 'commander';
import { parseOrRefuse } from '../../../contracts/errors.js';
import { accessIdSchema } from '../../../contracts/images.js';
import type { ListedAccess } from '../../images/accesses.js';
import { EXIT } from '../exit-code.js';
import { time } from '../../text/format.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

export function closeCommand(context: CommandContext): Command {
  return new Command('close')
    .description(
      'close an image access: its clients are disconnected and its writes discarded; closing it again is no error',
    )
    .argument('<access>', 'as printed when it was opened')
    .action(async (id: string, flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const access = await client.images.close(parseOrRefuse(accessIdSchema, id, 'access'));
        output.answer({ access }, () => describe(access));
        return EXIT.ok;
      }),
    );
}

function describe({ id, ended, writable }: ListedAccess): string {
  const when = ended === undefined ? '' : ` at ${time(ended.atMs)} (${ended.why})`;
  return `Access ${id} ended${when}${writable ? '; its writes are discarded' : ''}.`;
}
