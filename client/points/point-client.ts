// The SDK's client for recovery points: list, find, close, name, and copy to files.
import type { FoundPoint, RecoveryPoint } from '../../contracts/point.js';
import type { Ports } from '../../control/ports.js';
import {
  closePoint,
  type ClosePointInput,
  lockPoint,
  type LockPointInput,
  markPoint,
  type MarkPointInput,
} from './bookmarks.js';
import { findPoint, type PointInput } from './find.js';
import { listHistory } from './history.js';
import { type ListedPoints, listPoints, ownerNamed, type PointOwner } from './list.js';
import { recover, type Recovered, type RecoverInput, type RecoverOptions } from './recover.js';

export interface PointClient {
  /**
   * Finds the newest point, a given one, or the last before a time.
   * @throws INVALID_REQUEST, POINT_NOT_FOUND
   */
  get(input: PointInput): Promise<FoundPoint>;
  /** Lists points, oldest first. @throws GROUP_NOT_FOUND, VOLUME_NOT_FOUND */
  list(owner: PointOwner): Promise<ListedPoints>;
  /**
   * Like `list`, but a group's history includes its volumes' holes. Timelines are drawn from it.
   */
  history(owner: PointOwner): Promise<ListedPoints>;
  /**
   * Closes a recovery point of a group now, as a bookmark if a name is given.
   * @throws INVALID_REQUEST, GROUP_NOT_FOUND, GROUP_PAUSED
   */
  close(input: ClosePointInput): Promise<RecoveryPoint>;
  /**
   * Names a recovery point, or changes how long its bookmark is kept.
   * @throws POINT_NOT_FOUND; INVALID_REQUEST when it has no name and none is given, or a move's
   * bookmark would be renamed; BOOKMARK_LOCKED
   */
  mark(input: MarkPointInput): Promise<RecoveryPoint>;
  /**
   * Locks a bookmark for a time from now on, at most LOCK_MS_MAX: nobody can delete the point,
   * rename it or shorten how long it is kept, nor end the lock. A later call may lengthen it.
   * @throws POINT_NOT_FOUND, INVALID_REQUEST when it has no bookmark, BOOKMARK_LOCKED
   */
  lock(input: LockPointInput): Promise<RecoveryPoint>;
  /**
   * Copies a recovery point to sparse files.
   * @throws POINT_NOT_FOUND, POINT_TRIMMED, INVALID_REQUEST (a file exists)
   */
  recover(input: RecoverInput, options?: RecoverOptions): Promise<Recovered>;
  /** Resolves a name to a group or a volume. @throws VOLUME_NOT_FOUND when it is neither */
  ownerNamed(name: string): Promise<PointOwner>;
}

export function createPointClient(ports: Ports): PointClient {
  return {
    get: (input) => findPoint(ports, input),
    list: (owner) => listPoints(ports, owner),
    history: (owner) => listHistory(ports, owner),
    close: (input) => closePoint(ports, input),
    mark: (input) => markPoint(ports, input),
    lock: (input) => lockPoint(ports, input),
    recover: (input, options) => recover(ports, input, options),
    ownerNamed: (name) => ownerNamed(ports, name),
  };
}
