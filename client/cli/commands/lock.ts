// volume-mover lock: locks the bookmark of a recovery point for a time; nobody can end that.
import { Command, Option } from 'commander';
import { parseOrRefuse } from '../../../contracts/errors.js';
import { pointIdSchema } from '../../../contracts/ids.js';
import { time } from '../../text/format.js';
import { printable } from '../../text/printable.js';
import { EXIT } from '../exit-code.js';
import { DURATION_FORM, parseDuration } from '../parse-duration.js';
import { requestOf, type RequestFlags, withRequest } from '../request.js';
import { type CommandContext, runCommand } from '../session.js';

interface LockFlags extends RequestFlags {
  readonly for: number;
}

export function lockCommand(context: CommandContext): Command {
  return withRequest(new Command('lock'))
    .description(
      'lock the bookmark of a recovery point: nobody, an administrator included, can then delete the point, rename it, or shorten how long it is kept or locked',
    )
    .argument('<point>', 'a point that has a bookmark, as volume-mover points shows it')
    .addOption(
      new Option('--for <how-long>', `from now on, a year at most: ${DURATION_FORM}`)
        .argParser(parseDuration)
        .makeOptionMandatory(),
    )
    .action(async (id: string, flags: LockFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const request = requestOf(flags, context.environment);
        const point = await client.points.lock({
          point: parseOrRefuse(pointIdSchema, id, 'point'),
          forMs: flags.for,
          ...request,
        });
        const { name = '', lock } = point.bookmark ?? {};
        const until = lock === undefined ? '' : ` until ${time(lock.untilMs)}`;
        output.answer({ ...point }, () => `Locked "${printable(name)}" (point ${point.id} of ${point.group})${until}.`);
        return EXIT.ok;
      }),
    );
}
