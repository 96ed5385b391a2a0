// volume-mover moves: the moves that Temporal knows, running ones first.
import { Command, Option } from 'commander';
import { MOMENT_HELP } from '../../../contracts/moment.js';
import type { ListedMove, MoveState } from '../../moves/move-client.js';
import { namesOf } from '../../batches/batch-lines.js';
import { time } from '../../text/format.js';
import { table } from '../../text/table.js';
import { EXIT } from '../exit-code.js';
import { type ListFlags, listOptionsOf, stateText, withListFlags } from '../list-flags.js';
import { parseMoment } from '../moment.js';
import { type CommandContext, runCommand } from '../session.js';

const TITLES = ['MOVE', 'STATE', 'STARTED', 'ENDED', 'VOLUMES', 'FROM', 'TO'];
/** Columns that a narrow terminal may leave out, the least important first. */
const OPTIONAL = ['ENDED', 'FROM'];
type Outcome = Exclude<MoveState, 'running'>;
const OUTCOMES = ['moved', 'failed', 'cancelled', 'terminated'] as const satisfies readonly Outcome[];

interface MovesFlags extends ListFlags<Outcome> {
  readonly since?: number;
  readonly volume?: string;
  readonly group?: string;
  readonly batch?: string;
}

export function movesCommand(context: CommandContext): Command {
  return withListFlags(new Command('moves'), OUTCOMES)
    .description('list moves, running ones first, then the last ended; Temporal keeps them for its retention time')
    .addOption(
      new Option('--since <time>', `only those that ran at some time since then: ${MOMENT_HELP}`).argParser(
        parseMoment,
      ),
    )
    .option('--volume <volume>', 'only moves of this volume')
    .option('--group <group>', 'only moves out of this group, or into it')
    .option('--batch <batch-id>', 'only moves of this batch; a workflow id means its newest batch')
    .addHelpText('after', '\nWhat moved last night: volume-mover moves --outcome moved --since -12h --limit 1000')
    .action(async (flags: MovesFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const { since: sinceMs, volume, group } = flags;
        const batch = flags.batch === undefined ? undefined : (await client.batches.get(flags.batch)).batchId;
        const moves = await client.moves.list({ ...listOptionsOf(flags), sinceMs, volume, group, batch });
        output.answer({ moves }, (columns) => (moves.length === 0 ? 'No such moves.' : listing(moves, columns)));
        return EXIT.ok;
      }),
    );
}

/** Who can be reversed has a column of its own, if any can. */
function listing(moves: readonly ListedMove[], columns: number | undefined): string {
  const options = { columns, optional: OPTIONAL };
  if (moves.every(({ reversibleUntilMs }) => reversibleUntilMs === undefined))
    return table(TITLES, moves.map(row), options);
  const until = ({ reversibleUntilMs }: ListedMove): string =>
    reversibleUntilMs === undefined ? '-' : time(reversibleUntilMs);
  return table(
    [...TITLES, 'WAY BACK UNTIL'],
    moves.map((move) => [...row(move), until(move)]),
    options,
  );
}

function row({ moveId, state, stage, startedAtMs, endedAtMs, volumes, from, to }: ListedMove): string[] {
  return [
    moveId,
    stateText(state, stage),
    time(startedAtMs),
    endedAtMs === undefined ? '-' : time(endedAtMs),
    volumes.length === 0 ? '-' : namesOf(volumes),
    from ?? '-',
    to ?? '-',
  ];
}
