// The whole history for a timeline. A group's listing lacks holes, so they are read from its
// volumes' listings.
import { anyAppliance, type Ports } from '../../control/ports.js';
import type { Hole } from '../../contracts/point.js';
import { type ListedPoints, listPoints, type PointOwner } from './list.js';

/** Lists a history. @throws MoverError GROUP_NOT_FOUND, VOLUME_NOT_FOUND, UNREACHABLE */
export async function listHistory(ports: Ports, owner: PointOwner): Promise<ListedPoints> {
  const listed = await listPoints(ports, owner);
  if ('volume' in owner) return listed;
  const holes: Hole[] = [];
  for (const volume of new Set(listed.owners.map((span) => span.volume))) {
    const spans = listed.owners.filter((span) => span.volume === volume);
    // One row is enough: every page has all the holes.
    const answer = await anyAppliance(ports, ({ calls }) => calls.listPoints({ volume, limit: 1 }));
    holes.push(
      ...answer.holes.filter(({ sinceMs, untilMs = Number.POSITIVE_INFINITY }) =>
        spans.some(({ fromMs, toMs = Number.POSITIVE_INFINITY }) => sinceMs <= toMs && untilMs >= fromMs),
      ),
    );
  }
  return { ...listed, holes: holes.toSorted((a, b) => a.sinceMs - b.sinceMs) };
}
