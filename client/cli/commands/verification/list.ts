// volume-mover verification list: the verifications that Temporal knows, running ones first.
import { Command } from 'commander';
import type { ListedVerification, VerificationState } from '../../../verifications/verification-client.js';
import { time } from '../../../text/format.js';
import { table } from '../../../text/table.js';
import { EXIT } from '../../exit-code.js';
import { type ListFlags, listOptionsOf, withListFlags } from '../../list-flags.js';
import { type CommandContext, runCommand } from '../../session.js';

const TITLES = ['VERIFICATION', 'STATE', 'STARTED', 'ENDED', 'VOLUME'];
/** Columns that a narrow terminal may leave out, the least important first. */
const OPTIONAL = ['ENDED'];
type Outcome = Exclude<VerificationState, 'running'>;
const OUTCOMES = ['same', 'different', 'failed', 'cancelled', 'terminated'] as const satisfies readonly Outcome[];

export function verificationListCommand(context: CommandContext): Command {
  return withListFlags(new Command('list'), OUTCOMES)
    .description(
      'list verifications, running ones first, then the last ended; Temporal keeps them for its retention time',
    )
    .action(async (flags: ListFlags<Outcome>) =>
      runCommand(context, flags, async ({ client, output }) => {
        const verifications = await client.verifications.list(listOptionsOf(flags));
        output.answer({ verifications }, (columns) =>
          verifications.length === 0
            ? 'No such verifications.'
            : table(TITLES, verifications.map(row), { columns, optional: OPTIONAL }),
        );
        return EXIT.ok;
      }),
    );
}

function row({ verificationId, state, startedAtMs, endedAtMs, volume }: ListedVerification): string[] {
  return [verificationId, state, time(startedAtMs), endedAtMs === undefined ? '-' : time(endedAtMs), volume ?? '-'];
}
