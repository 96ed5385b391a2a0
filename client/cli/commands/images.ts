// volume-mover images: open image accesses, and those that ended last, with the reason.
import { Command } from 'commander';
import type { ListedAccess, ListedAccesses } from '../../images/accesses.js';
import { EXIT } from '../exit-code.js';
import { bytes, time } from '../../text/format.js';
import { table } from '../../text/table.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

const TITLES = ['ACCESS', 'WHAT', 'POINT', 'MODE', 'STATE', 'CLIENTS', 'READ', 'WRITTEN', 'OPENED', 'FOR'];

/** Columns that a narrow terminal may leave out, the least important first. */
const OPTIONAL = ['FOR', 'OPENED', 'READ', 'WRITTEN'];
export function imagesCommand(context: CommandContext): Command {
  return new Command('images')
    .description('list image accesses: the open ones, then the last that ended')
    .action(async (flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const listed = await client.images.list();
        output.answer({ ...listed }, (columns) => describe(listed, columns));
        return EXIT.ok;
      }),
    );
}

function describe({ accesses, unreachable }: ListedAccesses, columns: number | undefined): string {
  return [
    table(TITLES, accesses.map(row), { columns, optional: OPTIONAL }),
    ...accesses.flatMap(({ warnings }) => warnings),
    ...unreachable.map((appliance) => `Appliance ${appliance} does not answer; its image accesses are not listed.`),
  ].join('\n');
}

function row(access: ListedAccess): string[] {
  const { id, group, exports, point, writable, client, operator, openedAtMs } = access;
  const sum = (of: (each: (typeof exports)[number]) => number): number =>
    exports.reduce((total, each) => total + of(each), 0);
  return [
    id,
    group ?? exports[0]?.volume ?? '-',
    point,
    writable ? 'writable' : 'read-only',
    stateOf(access),
    String(sum(({ connections }) => connections)),
    bytes(sum(({ readBytes }) => readBytes)),
    writable ? bytes(sum(({ writtenBytes }) => writtenBytes)) : '-',
    time(openedAtMs),
    operator ?? client,
  ];
}

function stateOf({ ended, limit }: ListedAccess): string {
  if (ended !== undefined) return `${ended.why} at ${time(ended.atMs)}`;
  if (limit === undefined) return 'open';
  return limit.why === 'idle' ? `idle, open until ${time(limit.atMs)}` : `open until ${time(limit.atMs)}`;
}
