// What a script over the steps sees of the estate: where each volume is, at the replica site and at
// its splitter, and the attempts and bookmarks.
import { attemptName } from '../../../../contracts/attempt.js';
import type { VolumeRow } from '../../../../simulator/replica-site/core/rows.js';
import { listText } from '../script.js';
import type { ScriptedEstate } from './scripted-estate.js';

export function describeEstate(estate: ScriptedEstate): ReadonlyMap<string, string> {
  const { core } = estate.site;
  const bookmarked = [...core.points.values()].filter(({ point }) => point.bookmark !== undefined);
  return new Map([
    ...[...core.volumes.values()].map((row): [string, string] => [row.volume, volumeText(estate, row)]),
    ...[...core.attempts.values()].map(({ record }): [string, string] => [
      attemptName(record.attempt),
      `${record.state}${record.left?.bookmarked === true ? ', left' : ''}${record.joined === undefined ? '' : ', joined'}`,
    ]),
    ...bookmarked.map(({ point }): [string, string] => [
      `point ${Number(point.id.slice(1))}`,
      `of ${point.group} "${point.bookmark?.name ?? ''}"${point.bookmark?.pending === true ? ' pending' : ''}`,
    ]),
  ]);
}

function volumeText(estate: ScriptedEstate, row: VolumeRow): string {
  const { row: split, marks } = estate.hostOfVolume(row.volume).core.volume(row.volume);
  const marked = Array.from({ length: marks.regions }, (_, region) => region).filter((region) =>
    marks.isMarked(region),
  );
  return [
    `${row.group}@${row.epoch}${row.sealed ? ', sealed' : ''}`,
    `at its splitter ${split.route.group}@${split.route.epoch}`,
    ...(split.notice === undefined ? [] : [`notice ${attemptName(split.notice.attempt)}`]),
    ...(split.fence === undefined
      ? []
      : [`fence ${attemptName(split.fence.attempt)}${split.fence.lapsed ? ' lapsed' : ''}`]),
    ...(marked.length === 0 ? [] : [`marked ${listText(marked)}`]),
  ].join(', ');
}
