// volume-mover audit: who called what at which process, about what, and how it ended.
import { Command, Option } from 'commander';
import type { ListedAudit, ListedAuditEntry } from '../../audit/audit-client.js';
import { printable } from '../../text/printable.js';
import { time } from '../../text/format.js';
import { table } from '../../text/table.js';
import { parseCount } from '../batch-parsers.js';
import { EXIT } from '../exit-code.js';
import { parseMoment } from '../moment.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

const TITLES = ['TIME', 'PROCESS', 'WHO', 'FROM', 'OPERATION', 'OUTCOME', 'ABOUT'];

/** Columns that a narrow terminal may leave out, the least important first. */
const OPTIONAL = ['FROM', 'ABOUT'];
interface AuditFlags extends GlobalFlags {
  readonly since?: number;
  readonly limit?: number;
}

export function auditCommand(context: CommandContext): Command {
  return new Command('audit')
    .description('list who changed or ordered what, and who was refused, oldest first')
    .addOption(new Option('--since <time>', 'only entries from this time on').argParser(parseMoment))
    .addOption(
      new Option('--limit <n>', 'how many entries at most, the newest ones (default 1000)').argParser(parseCount),
    )
    .action(async (flags: AuditFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const listed = await client.audit.list({ sinceMs: flags.since, limit: flags.limit });
        output.answer({ ...listed }, (columns) => describe(listed, columns));
        return EXIT.ok;
      }),
    );
}

function describe({ entries, unreachable }: ListedAudit, columns: number | undefined): string {
  return [
    table(TITLES, [...entries].reverse().map(row), { columns, optional: OPTIONAL }),
    ...unreachable.map((process) => `The ${process} does not answer; its entries are missing here.`),
  ].join('\n');
}

function row({ atMs, process, caller, from, operation, outcome, times, about }: ListedAuditEntry): string[] {
  const words = Object.entries(about).map(([key, value]) => `${key}=${[value].flat().join(',')}`);
  const more = times === undefined ? '' : ` (${times} more)`;
  return [time(atMs), process, caller, from, operation, `${outcome}${more}`, words.join(' ')].map((text) =>
    printable(text),
  );
}
