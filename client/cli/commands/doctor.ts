// volume-mover doctor: what moves left behind that no longer run, and what differs; --fix ends what
// is safe to end.
import { Command } from 'commander';
import type { Examination, Finding, Mended } from '../../doctor/doctor-client.js';
import { counted, time } from '../../text/format.js';
import { printable } from '../../text/printable.js';
import { table } from '../../text/table.js';
import { EXIT } from '../exit-code.js';
import { operatorOf } from '../operator.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';
import { settledLines } from '../settled-lines.js';

const TITLES = ['FOUND', 'HELD BY', 'SINCE', 'BLOCKS', 'WHAT IS DONE'];
/** Columns that a narrow terminal may leave out, the least important first. */
const OPTIONAL = ['SINCE'];

interface DoctorFlags extends GlobalFlags {
  readonly fix?: boolean;
  readonly operator?: string;
  readonly reason?: string;
}

export function doctorCommand(context: CommandContext): Command {
  return new Command('doctor')
    .description(
      'find what moves left behind that no longer run, and what differs between file and estate (exit code 1 if there is something); changes nothing without --fix',
    )
    .option(
      '--fix',
      'end the attempts of moves that no longer run, as the replica site’s verdict says (needs the role "move"); exit code 1 if something remains',
    )
    .option('--operator <name>', 'who asks; kept in the record of each attempt (default: your login name)')
    .option('--reason <text>', 'why; kept in the record of each attempt')
    .action(async (flags: DoctorFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const { fix = false, operator = operatorOf(context.environment), reason } = flags;
        const found: Examination | Mended = fix
          ? await client.doctor.fix({ operator, reason })
          : await client.doctor.examine();
        output.answer({ ...found, fix }, (columns) => describe(found, fix, columns));
        return found.ok ? EXIT.ok : EXIT.failed;
      }),
    );
}

function describe(found: Examination | Mended, isFix: boolean, columns: number | undefined): string {
  const { findings, running, ok } = found;
  const settled = 'settled' in found ? found.settled : [];
  const canFix = !isFix && findings.some(({ isFixable }) => isFixable);
  return [
    ...settled.flatMap(settledLines),
    ...(ok ? [settled.length === 0 ? 'Nothing is left behind, and nothing differs.' : 'Nothing remains.'] : []),
    ...(findings.length === 0 ? [] : [table(TITLES, findings.map(row), { columns, optional: OPTIONAL })]),
    ...(running.length === 0 ? [] : [`Left alone: ${counted(running.length, 'running move')}.`]),
    ...(canFix ? ['Nothing was changed. To end what is left of moves: volume-mover doctor --fix'] : []),
  ].join('\n');
}

function row({ what, heldBy, owner, sinceMs, blocks, action }: Finding): string[] {
  const holder = heldBy === undefined ? '-' : `${heldBy}${owner === undefined ? '' : ` (${owner})`}`;
  return [what, holder, sinceMs === undefined ? '-' : time(sinceMs), blocks, action].map((text) => printable(text));
}
