// volume-mover plan: every check of a move with its finding, and what to expect of it. It changes
// nothing.
import { Command } from 'commander';
import type { MovePlan, PlanCheck, PlanOutlook } from '../../../contracts/move.js';
import { EXIT, type ExitCode } from '../exit-code.js';
import { bytes, counted, duration, time } from '../../text/format.js';
import { printable, wrapped } from '../../text/printable.js';
import { table } from '../../text/table.js';
import { moveInputOf, type MoveInputFlags, withMoveFlags } from '../move-flags.js';
import type { Output } from '../output.js';
import { type CommandContext, runCommand } from '../session.js';

const TITLES = ['VOLUME', 'SIZE', 'SPLITTER', 'EPOCH', 'UNCONFIRMED', 'UNDISTRIBUTED'];

/** Columns that a narrow terminal may leave out, the least important first. */
const OPTIONAL = ['EPOCH', 'SPLITTER'];
/** Indentation of what follows a line that a terminal is too narrow for. */
const INDENT = 6;

export function planCommand(context: CommandContext): Command {
  return withMoveFlags(new Command('plan'))
    .description(
      'check a move: each check with its finding, time, bytes and steps (exit code 3 if one refuses it); changes nothing',
    )
    .action(async (volumes: string[], flags: MoveInputFlags) =>
      runCommand(context, flags, async ({ client, output }) =>
        answerPlan(await client.moves.plan(moveInputOf(volumes, flags)), output),
      ),
    );
}

export function answerPlan(plan: MovePlan, output: Output): ExitCode {
  output.answer({ plan }, (columns) => describe(plan, columns));
  return plan.ok ? EXIT.ok : EXIT.refused;
}

function describe(plan: MovePlan, columns: number | undefined): string {
  const { ok, volumes, from, to, checks = [], outlook } = plan;
  const row = (volume: MovePlan['volumes'][number]): string[] => [
    volume.volume,
    bytes(volume.sizeBytes),
    volume.splitter,
    String(volume.epoch),
    bytes(volume.unconfirmedBytes),
    bytes(volume.undistributedBytes),
  ];
  const way = [from === undefined ? '' : ` from ${nameOf(from)}`, to === undefined ? '' : ` to ${nameOf(to)}`].join('');
  const sentences = [
    'Checks',
    ...checks.map(checkLine),
    '',
    ...(ok && outlook !== undefined ? [...outlookLines(outlook), ''] : []),
    ok ? `The move${way} can be made.` : `The move${way} cannot be made.`,
  ];
  return [
    ...(volumes.length === 0 ? [] : [table(TITLES, volumes.map(row), { columns, optional: OPTIONAL }), '']),
    ...sentences.flatMap((line) => (columns === undefined || line === '' ? [line] : wrapped(line, columns, INDENT))),
  ].join('\n');
}

const MARKS: Readonly<Record<PlanCheck['result'], string>> = { pass: '✓', warn: '!', refuse: '✗' };

/** @example "  ! journal room: the journal of "cg-silver" uses 91 % of its room" */
function checkLine({ check, result, code, message }: PlanCheck): string {
  return printable(`  ${MARKS[result]} ${check}: ${message}${code === undefined ? '' : ` (${code})`}`);
}

function outlookLines({ bytesToFlush, expectedMs, measured, points, steps }: PlanOutlook): string[] {
  const expected =
    expectedMs === undefined
      ? 'no earlier move to estimate it by'
      : `about ${duration(expectedMs)} (median of the last ${counted(measured, 'move')})`;
  return [
    'What to expect',
    `  time         ${expected}`,
    `  to flush     ${bytes(bytesToFlush)} now; writes until the fence come on top`,
    ...points.map(({ volume, count, oldestAtMs }) => `  points stay  ${volume}: ${pointsText(count, oldestAtMs)}`),
    'Steps',
    ...steps.map(({ step, does }, i) => `  ${i + 1} ${step.padEnd(11)} ${does}`),
  ];
}

function pointsText(count: number, oldestAtMs: number | undefined): string {
  return oldestAtMs === undefined ? 'none yet' : `${counted(count, 'point')}, the oldest of ${time(oldestAtMs)}`;
}

/** A group with its appliance. @example "cg-gold (appliance-1)" */
function nameOf({ group, appliance }: NonNullable<MovePlan['from']>): string {
  return `${group} (${appliance})`;
}
