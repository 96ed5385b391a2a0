// Locked bookmarks: until a time, nobody deletes the point, renames it, or shortens how long it is
// kept. A lock is a promise of the bookmark (policy.ts) that is only ever lengthened: retention, a
// full journal and forgetting leave what is promised, whoever asks.
import { MoverError } from '../../../contracts/errors.js';
import type { PointId } from '../../../contracts/ids.js';
import { isoTime } from '../../../contracts/iso-time.js';
import type { Bookmark, RecoveryPoint } from '../../../contracts/point.js';
import type { Keep } from '../../../contracts/retention.js';
import type { SiteState } from './state.js';

export interface LockOrder {
  readonly point: PointId;
  readonly forMs: number;
  readonly operator: string;
  readonly reason: string;
}

/**
 * Locks a bookmark from now on, or lengthens its lock. It is kept at least as long.
 * @throws MoverError POINT_NOT_FOUND, CORRUPT; INVALID_REQUEST (no bookmark, or a move's that has
 * no verdict yet); BOOKMARK_LOCKED (it is locked for longer)
 */
export function lockPoint(
  state: SiteState,
  { point: id, forMs, operator, reason }: LockOrder,
  ageMs: number,
): RecoveryPoint {
  const row = state.point(id);
  const { bookmark } = row.point;
  if (bookmark === undefined)
    throw new MoverError('INVALID_REQUEST', `Point ${id} has no bookmark to lock: give it a name first.`);
  // An abort would void it.
  if (bookmark.pending)
    throw new MoverError('INVALID_REQUEST', `The bookmark "${bookmark.name}" is of a move that is not committed yet.`);
  const untilMs = ageMs + forMs;
  if (untilMs < (bookmark.lock?.untilMs ?? 0)) throw lockedError(id, bookmark, 'and a lock is only lengthened');
  const keep = endOfKeep(bookmark.keep) < untilMs ? { untilMs } : bookmark.keep;
  const point = { ...row.point, bookmark: { ...bookmark, keep, lock: { untilMs, operator, reason } } };
  state.points.put(id, { ...row, point });
  return point;
}

/**
 * Refuses a change of a locked bookmark that would free its point sooner, or rename it.
 * @throws MoverError BOOKMARK_LOCKED
 */
export function refuseLocked(
  id: PointId,
  bookmark: Bookmark,
  to: { readonly name: string; readonly keep: Keep },
  ageMs: number,
): void {
  const { lock } = bookmark;
  if (lock === undefined || lock.untilMs <= ageMs) return;
  if (to.name !== bookmark.name) throw lockedError(id, bookmark, 'and keeps its name until then');
  if (endOfKeep(to.keep) < lock.untilMs) throw lockedError(id, bookmark, 'and is kept at least until then');
}

/** When a keep's promise ends: a policy promises nothing. */
function endOfKeep(keep: Keep): number {
  if (keep === 'forever') return Number.POSITIVE_INFINITY;
  return keep === 'policy' ? 0 : keep.untilMs;
}

function lockedError(id: PointId, { name, lock }: Bookmark, why: string): MoverError {
  const until = lock === undefined ? '' : ` until ${isoTime(lock.untilMs)} (${lock.operator}: ${lock.reason})`;
  return new MoverError('BOOKMARK_LOCKED', `The bookmark "${name}" (point ${id}) is locked${until}, ${why}.`);
}
