// volume-mover bookmark: closes a recovery point now under a name, or names an earlier one and sets
// how long it is kept.
import { Command, Option } from 'commander';
import { invalidField, parseOrRefuse } from '../../../contracts/errors.js';
import { groupIdSchema, pointIdSchema } from '../../../contracts/ids.js';
import type { RecoveryPoint } from '../../../contracts/point.js';
import type { KeepRequest } from '../../../contracts/retention.js';
import type { MoverClient } from '../../sdk.js';
import { printable } from '../../text/printable.js';
import { parseKeep } from '../parse-keep.js';
import { bookmarkText, bookmarkKeepText } from '../../timeline/texts.js';
import { EXIT } from '../exit-code.js';
import { time } from '../../text/format.js';
import { PERIOD_HELP } from '../period.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

interface BookmarkFlags extends GlobalFlags {
  readonly point?: string;
  readonly keep?: KeepRequest;
}

export function bookmarkCommand(context: CommandContext): Command {
  return new Command('bookmark')
    .description('close a recovery point of a group now and name it, or name an earlier one (--point)')
    .usage('<group> <name> [--keep <how-long>] | --point <id> [name] --keep <how-long>')
    .argument('[group]', 'whose recovery point is closed; not with --point')
    .argument(
      '[name]',
      'the name of the bookmark; with --point it may be left out: then only how long it is kept changes',
    )
    .option('--point <id>', 'an earlier recovery point, as volume-mover points shows it')
    .addOption(
      new Option(
        '--keep <how-long>',
        `policy (as the group's points are kept), forever, or ${PERIOD_HELP}, from now on`,
      ).argParser(parseKeep),
    )
    .action(async (first: string | undefined, second: string | undefined, flags: BookmarkFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const point =
          flags.point === undefined
            ? await closeUnderName(client, first, second, flags.keep)
            : await markEarlier(client, flags.point, [first, second], flags.keep);
        output.answer({ ...point }, () => describe(point));
        return EXIT.ok;
      }),
    );
}

async function closeUnderName(
  client: MoverClient,
  group: string | undefined,
  bookmark: string | undefined,
  keep: KeepRequest | undefined,
): Promise<RecoveryPoint> {
  if (group === undefined)
    throw invalidField('group', 'name the group whose recovery point is closed, or give --point');
  if (bookmark === undefined) throw invalidField('name', 'give the bookmark a name');
  return await client.points.close({
    group: parseOrRefuse(groupIdSchema, group, 'group'),
    bookmark,
    ...(keep === undefined ? {} : { keep }),
  });
}

async function markEarlier(
  client: MoverClient,
  id: string,
  [name, more]: readonly [string | undefined, string | undefined],
  keep: KeepRequest | undefined,
): Promise<RecoveryPoint> {
  const point = parseOrRefuse(pointIdSchema, id, '--point');
  if (more !== undefined) throw invalidField('group', 'is not named with --point: the point says which group it is of');
  // A default would silently end what someone else wanted to keep for ever.
  if (keep === undefined)
    throw invalidField('--keep', `say how long the bookmark is kept: policy, forever, or ${PERIOD_HELP}`);
  return await client.points.mark({ point, keep, ...(name === undefined ? {} : { name }) });
}

function describe({ id, group, atMs, bookmark, members, leftOut }: RecoveryPoint): string {
  const name = bookmark === undefined ? '' : ` "${printable(bookmarkText(bookmark))}"`;
  const kept = bookmark === undefined ? '' : `, kept: ${bookmarkKeepText(bookmark)}`;
  return [
    `Bookmark${name}: point ${id} of ${group}, ${time(atMs)}, ${members.length} volumes${kept}.`,
    ...leftOut.map(({ volume, reason }) => `Not in the point: ${volume} (${reason}).`),
  ].join('\n');
}
