// What a script sees of the replica site: a line for each volume, attempt and point.
import { attemptName, type AttemptRecord, type Term } from '../../../../contracts/attempt.js';
import type { RecoveryPoint } from '../../../../contracts/point.js';
import type { PointRow, VolumeRow } from '../../../../simulator/replica-site/core/rows.js';
import { endOf } from '../../../../simulator/replica-site/core/terms.js';
import { exact, listText } from '../script.js';
import type { ScriptedSite } from './scripted-site.js';
import { markText } from './words.js';

export function describeSite(site: ScriptedSite): ReadonlyMap<string, string> {
  const { core } = site;
  const rooms = [...core.groups.values()].filter((row) => core.pointCount(row.group) + row.lastPointAtMs > 0);
  return new Map([
    ...[...core.volumes.values()].map((row): [string, string] => [row.volume, volumeText(site, exact(row))]),
    ...[...core.attempts.values()].map(({ record }): [string, string] => [
      attemptName(record.attempt),
      attemptText(site, exact(record)),
    ]),
    ...[...core.points.values()].map((row): [string, string] => [pointName(row.point), pointText(exact(row))]),
    ...rooms.map((row): [string, string] => [
      row.group,
      `newest point at ${row.lastPointAtMs}, order ${row.lastOrder ?? 'none'}, snapshots after it ${listText(row.snapshots ?? [])}`,
    ]),
  ]);
}

/** A point's name in scripts: p1 is the first. */
export function pointName({ id }: Pick<RecoveryPoint, 'id'>): string {
  return `p${Number(id.slice(1))}`;
}

function volumeText({ core, lineages }: ScriptedSite, row: VolumeRow): string {
  const { volume } = row;
  const durable = lineages.durable(volume).position;
  const applied = lineages.appliedPosition(volume);
  const owners = core
    .ownersOf(volume)
    .map(
      ({ group, epoch, fromPosition, fromMs, toPosition, toMs, move }) =>
        `${group}@${epoch} ${fromPosition}..${toPosition ?? ''} (${fromMs}..${toMs ?? ''}${move === undefined ? '' : `, ${move}`})`,
    );
  return [
    `${row.group}@${row.epoch}`,
    `session ${row.session}`,
    `${durable} durable${applied === durable ? '' : ` (${applied} applied)`}`,
    ...(row.sealed ? ['sealed'] : []),
    ...(row.openAttempt === undefined ? [] : [`open ${attemptName(row.openAttempt)}`]),
    ...(row.openHole === undefined ? [] : ['in a hole']),
    `owned by ${owners.join(', ')}`,
  ].join(', ');
}

function attemptText({ core, monotonicMs }: ScriptedSite, record: AttemptRecord): string {
  const { contents, left, joined } = record;
  const leftMs = (term: Term | undefined): string =>
    term === undefined ? 'none' : `${endOf(core.life, term) - monotonicMs} ms`;
  return [
    record.state,
    ...(contents === undefined
      ? ['without contents']
      : [
          `ticket ${contents.ticket}`,
          `${contents.volumes.map(({ volume, epoch }) => `${volume}@${epoch}`).join(' ')} ${contents.from} → ${contents.to}`,
          `opened at ${contents.openedAtMs} after point ${contents.pointOrder ?? 'none'} of ${contents.clockMs}`,
          ...(record.state === 'OPEN' ? [`lease ${leftMs(contents.lease)} of ${leftMs(contents.deadline)}`] : []),
        ]),
    ...(record.seals.length === 0
      ? []
      : [`sealed ${record.seals.map((seal) => `${seal.volume} ${markText(seal)} = ${seal.position}`).join(' ')}`]),
    ...(left === undefined
      ? []
      : [
          `left ${pointName({ id: left.point })} at ${left.atMs} "${left.name}"${left.bookmarked ? ' bookmarked' : ''}`,
        ]),
    ...(joined === undefined ? [] : [`joined ${pointName({ id: joined.point })} "${joined.name}"`]),
    ...(record.decidedAtMs === undefined ? [] : [`decided at ${record.decidedAtMs}`]),
    ...(record.decided === undefined ? [] : [`(life ${record.decided.life}, ${record.decided.atMs} ms)`]),
    ...(record.reason === undefined ? [] : [`because ${record.reason}`]),
  ].join(', ');
}

function pointText({ point, pinnedBy, provisionalMarks }: PointRow): string {
  const { bookmark } = point;
  const members = point.members.map(
    ({ volume, position, epoch, provisional }) =>
      `${volume}@${epoch} ${position}${provisional === undefined ? '' : ` if ${attemptName(provisional)} aborts`}`,
  );
  const left = point.leftOut.map(({ volume, reason }) => `${volume} ${reason}`);
  const marks = Object.entries(provisionalMarks).map(([volume, mark]) => `${volume} ${markText(mark)}`);
  return [
    `${point.group} ${point.kind} at ${point.atMs}, order ${point.order ?? 'none'}`,
    members.length === 0 ? 'no members' : members.join(', '),
    ...(left.length === 0 ? [] : [`without ${left.join(', ')}`]),
    ...(marks.length === 0 ? [] : [`marks ${marks.join(', ')}`]),
    ...(bookmark === undefined
      ? []
      : [
          `bookmark "${bookmark.name}"${bookmark.pending ? ' pending' : ''}, kept ${JSON.stringify(bookmark.keep)}` +
            (bookmark.attempt === undefined ? '' : ` by ${attemptName(bookmark.attempt)}`),
        ]),
    ...(pinnedBy === undefined ? [] : [`pinned by ${attemptName(pinnedBy)}`]),
    ...(point.clock?.doubt === undefined ? [] : [`in doubt by ${point.clock.doubt.jumpMs} ms`]),
  ].join(', ');
}
