// volume-mover points: the recovery points of a group, or of a volume across all its groups, as a
// picture or a table.
import { Command, Option } from 'commander';
import { MOMENT_HELP } from '../../../contracts/moment.js';
import { doubtSentence } from '../../../contracts/clock.js';
import type { RecoveryPoint } from '../../../contracts/point.js';
import type { ListedPoints, PointOwner } from '../../points/list.js';
import { writeTimelinePage } from '../../timeline/html/write.js';
import { overlaps } from '../../timeline/range.js';
import { drawTimeline, type DrawOptions } from '../../timeline/terminal/draw.js';
import { printable } from '../../text/printable.js';
import { createTimeline, type Timeline } from '../../timeline/timeline.js';
import { bookmarkText, damagedText, holeText, bookmarkKeepText } from '../../timeline/texts.js';
import { counted, time } from '../../text/format.js';
import { table } from '../../text/table.js';
import { EXIT } from '../exit-code.js';
import { parseMoment } from '../moment.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

/** Columns that a narrow terminal may leave out, the least important first. */
const OPTIONAL = ['VOLUMES', 'KEEP', 'LEFT OUT', 'KIND'];
interface PointsFlags extends GlobalFlags {
  readonly list?: boolean;
  readonly ascii?: boolean;
  readonly since?: number;
  readonly until?: number;
  readonly html?: string;
  readonly overwrite?: boolean;
}

const TITLES = ['POINT', 'TIME', 'GROUP', 'KIND', 'VOLUMES', 'LEFT OUT', 'KEEP', 'BOOKMARK'];
/**
 * Points listed under the picture. Recovery needs their ids, and the newest are wanted most often.
 */
const NEWEST_LISTED = 5;
const COLUMNS_UNKNOWN = 80;

export function pointsCommand(context: CommandContext): Command {
  const nowMs = Date.now();
  return new Command('points')
    .description('show recovery points as a timeline with the newest listed below it, or all of them as a list')
    .argument('<group|volume>', 'a group; or a volume, with the points of every group that contained it')
    .option('--list', 'a table of every point, oldest first, instead of the timeline')
    .option('--ascii', 'a timeline for terminals without Unicode')
    .addOption(new Option('--since <time>', `only from this time on: ${MOMENT_HELP}`).argParser(parseMoment))
    .addOption(new Option('--until <time>', 'only up to this time; as --since').argParser(parseMoment))
    .addOption(new Option('--html <file>', 'write the timeline as one self-contained HTML page').conflicts('list'))
    .option('--overwrite', 'replace the file if it exists')
    .action(async (name: string, flags: PointsFlags) =>
      runCommand(context, flags, async ({ client, output }) => {
        const owner = await client.points.ownerNamed(name);
        const listed = await client.points.history(owner);
        const timeline = createTimeline({ owner, listed, nowMs, sinceMs: flags.since, untilMs: flags.until });
        if (flags.html !== undefined) {
          await writeTimelinePage(
            flags.html,
            { owner, listed, nowMs, range: timeline.range },
            flags.overwrite === true,
          );
          output.answer({ file: flags.html }, () => `Wrote the timeline of ${name} to ${flags.html}.`);
          return EXIT.ok;
        }
        const shown = flags.since === undefined && flags.until === undefined ? listed.points : timeline.points;
        output.answer(jsonOf(listed, shown, timeline), (columns) =>
          [
            ...(flags.list === true
              ? listLines(shown, timeline, columns)
              : pictureLines(timeline, owner, drawOptions(context, flags), columns)),
            ...(flags.since === undefined ? holeBefore(listed, timeline) : []),
          ].join('\n'),
        );
        return EXIT.ok;
      }),
    );
}

function drawOptions(
  { streams: { stdout }, environment }: CommandContext,
  { ascii = false }: PointsFlags,
): DrawOptions {
  // Counts when set and not empty, as https://no-color.org says.
  const noColor = environment['NO_COLOR'] ?? '';
  return { columns: stdout.columns ?? COLUMNS_UNKNOWN, ascii, colours: stdout.isTTY === true && noColor === '' };
}

function jsonOf(
  { owners }: ListedPoints,
  points: readonly RecoveryPoint[],
  { holes, damaged, range }: Timeline,
): Record<string, unknown> {
  const shown = { points, holes, owners: owners.filter((owner) => overlaps(range, owner)) };
  return damaged.length === 0 ? shown : { ...shown, damaged };
}

/** Lists points. Without a range it lists all, even one in the future because of a wrong clock. */
function listLines(
  points: readonly RecoveryPoint[],
  { holes, damaged }: Timeline,
  columns: number | undefined,
): string[] {
  return [
    table(TITLES, points.map(row), { columns, optional: OPTIONAL }),
    ...doubtLines(points),
    ...holes.map((hole) => printable(holeText(hole))),
    ...damaged.map((member) => printable(damagedText(member))),
  ];
}

/** Explains by a hole why there are no points before the oldest one. */
function holeBefore({ holes }: ListedPoints, { range }: Timeline): string[] {
  const before = holes.filter(({ untilMs }) => untilMs !== undefined && untilMs < range.fromMs);
  const newest = before.toSorted((a, b) => a.sinceMs - b.sinceMs).at(-1);
  return newest === undefined ? [] : [`Before these points: ${printable(holeText(newest))}`];
}

/** One line for each clock that was in doubt; it explains the question marks in the list. */
function doubtLines(points: readonly RecoveryPoint[]): string[] {
  const sentences = new Set(
    points.flatMap(({ clock }) => (clock?.doubt === undefined ? [] : doubtSentence(clock.doubt))),
  );
  return [...sentences].map((sentence) => `? ${sentence}`);
}

function pictureLines(
  timeline: Timeline,
  owner: PointOwner,
  options: DrawOptions,
  columns: number | undefined,
): string[] {
  const { points } = timeline;
  const newest = points.slice(-NEWEST_LISTED);
  const older = points.length - newest.length;
  const name = 'volume' in owner ? owner.volume : owner.group;
  return [
    ...drawTimeline(timeline, options),
    ...(newest.length === 0
      ? []
      : ['', table(TITLES, newest.map(row), { columns, optional: OPTIONAL }), ...doubtLines(newest)]),
    ...(older === 0 ? [] : [`${counted(older, 'older point')}: volume-mover points ${name} --list`]),
  ];
}

function row({ id, atMs, clock, group, kind, members, leftOut, bookmark }: RecoveryPoint): string[] {
  const out = leftOut.map(({ volume, reason }) => `${volume} (${reason})`).join(', ');
  return [
    id,
    clock?.doubt === undefined ? time(atMs) : `${time(atMs)} ?`,
    group,
    kind,
    String(members.length),
    out === '' ? '-' : out,
    bookmark === undefined ? 'policy' : bookmarkKeepText(bookmark),
    bookmark === undefined ? '-' : printable(bookmarkText(bookmark)),
  ];
}
