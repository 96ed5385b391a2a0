// Words about points, bookmarks and holes, shared by drawings and tables.
import type { Bookmark, DamagedMember, Hole, Ownership } from '../../contracts/point.js';
import type { Keep } from '../../contracts/retention.js';
import { wayBackText } from '../moves/way-back.js';
import { time } from '../text/format.js';
import type { PointOwner } from '../points/list.js';

/** How long a bookmark is kept. @example "until 2026-12-01T00:00:00.000Z, locked until …" */
export function bookmarkKeepText({ keep, lock }: Bookmark): string {
  return lock === undefined ? keepText(keep) : `${keepText(keep)}, locked until ${time(lock.untilMs)}`;
}

/** A keep in words. @example "policy", "for ever", "until 2026-12-01T00:00:00.000Z" */
export function keepText(keep: Keep): string {
  if (typeof keep === 'object') return `until ${time(keep.untilMs)}`;
  return keep === 'forever' ? 'for ever' : keep;
}

export function bookmarkText({ name, pending, applicationConsistent }: Bookmark): string {
  const notes = [
    ...(pending ? ['pending'] : []),
    ...(applicationConsistent === true ? ['application-consistent'] : []),
  ];
  return notes.length === 0 ? name : `${name} (${notes.join(', ')})`;
}

export function holeText({ volume, sinceMs, untilMs, reason }: Hole): string {
  const until = untilMs === undefined ? 'now, still open' : time(untilMs);
  return `Hole: ${volume} from ${time(sinceMs)} to ${until}, only the end state can be recovered (${reason})`;
}

/** The way back of the move that began a span; undefined for a move without one. */
export function spanBackText({ move, wayBack }: Ownership): string | undefined {
  return move === undefined || wayBack === undefined
    ? undefined
    : wayBackText({ move, reversibleUntilMs: wayBack.untilMs }, wayBack);
}

export function damagedText({ point, volume, message }: DamagedMember): string {
  return `Damaged: ${point} of ${volume}. ${message}`;
}

/** An owner in words. @example "volume vm-1-disk-0" */
export function ownerText(owner: PointOwner): string {
  return 'volume' in owner ? `volume ${owner.volume}` : `group ${owner.group}`;
}

/** Counts of reasons, the most frequent first. @example "behind 10, initializing 2" */
export function reasonCounts(reasons: Iterable<string>): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const sorted = [...counts].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return sorted.map(([reason, count]) => `${reason} ${count}`).join(', ');
}
