// volume-mover moves: the moves that Temporal knows, running ones first.
import { Command } from 'commander';
import type { ListedMove, MoveState } from '../../moves/move-client.js';
import { namesOf } from '../../batches/batch-lines.js';
import { time } from '../../text/format.js';
import { table } from '../../text/table.js';
import { EXIT } from '../exit-code.js';
import { type ListFlags, listOptionsOf, stateText, withListFlags } from '../list-flags.js';
import { type CommandContext, runCommand } from '../session.js';

const TITLES = ['MOVE', 'STATE', 'STARTED', 'ENDED', 'VOLUMES', 'FROM', 'TO'];
/** Columns that a narrow terminal may leave out, the least important first. */
const OPTIONAL = ['ENDED', 'FROM'];
type Outcome = Exclude<MoveState, 'running'>;
const OUTCOMES = ['moved', 'failed', 'cancelled', 'terminated'] as const satisfies readonly Outcome[];

export function movesCommand(context: CommandContext): Command {
  return withListFlags(new Command('moves'), OUTCOMES)
    .description('list moves, running ones first, then the last ended; Temporal keeps them for its retention time')
    .action(async (flags: ListFlags<Outcome>) =>
      runCommand(context, flags, async ({ client, output }) => {
        const moves = await client.moves.list(listOptionsOf(flags));
        output.answer({ moves }, (columns) =>
          moves.length === 0 ? 'No such moves.' : table(TITLES, moves.map(row), { columns, optional: OPTIONAL }),
        );
        return EXIT.ok;
      }),
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
