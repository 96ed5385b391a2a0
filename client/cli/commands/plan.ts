// volume-mover plan: shows every reason against a move at once, and changes nothing.
import { Command } from 'commander';
import type { MovePlan } from '../../../contracts/move.js';
import { EXIT } from '../exit-code.js';
import { bytes } from '../../text/format.js';
import { table } from '../../text/table.js';
import { moveInputOf, type MoveInputFlags, withMoveFlags } from '../move-flags.js';
import { type CommandContext, runCommand } from '../session.js';

const TITLES = ['VOLUME', 'SIZE', 'SPLITTER', 'EPOCH', 'UNCONFIRMED', 'UNDISTRIBUTED'];

/** Columns that a narrow terminal may leave out, the least important first. */
const OPTIONAL = ['EPOCH', 'SPLITTER'];
export function planCommand(context: CommandContext): Command {
  return withMoveFlags(new Command('plan'))
    .description('check a move and list every reason against it (exit code 3 if there is one); changes nothing')
    .action(async (volumes: string[], flags: MoveInputFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const plan = await client.moves.plan(moveInputOf(volumes, flags));
        output.answer({ plan }, (columns) => describe(plan, columns));
        return plan.ok ? EXIT.ok : EXIT.refused;
      }),
    );
}

function describe({ ok, reasons, warnings = [], volumes, from, to }: MovePlan, columns: number | undefined): string {
  const row = (volume: MovePlan['volumes'][number]): string[] => [
    volume.volume,
    bytes(volume.sizeBytes),
    volume.splitter,
    String(volume.epoch),
    bytes(volume.unconfirmedBytes),
    bytes(volume.undistributedBytes),
  ];
  const listed = volumes.length === 0 ? [] : [table(TITLES, volumes.map(row), { columns, optional: OPTIONAL }), ''];
  const way = [from === undefined ? '' : ` from ${nameOf(from)}`, to === undefined ? '' : ` to ${nameOf(to)}`].join('');
  const warned = warnings.length === 0 ? [] : ['', ...warnings.map((warning) => `Warning: ${warning}`)];
  if (ok) return [...listed, `The move${way} can be made.`, ...warned].join('\n');
  const against = reasons.map(({ code, message }) => `  - ${message} (${code})`);
  return [...listed, `The move${way} cannot be made:`, ...against, ...warned].join('\n');
}

/** A group with its appliance. @example "cg-gold (appliance-1)" */
function nameOf({ group, appliance }: NonNullable<MovePlan['from']>): string {
  return `${group} (${appliance})`;
}
