// Forgets attempts that are over and that nobody needs any more, so that a site's rows are bounded
// by its retention and not by its age.
//
// What is promised, and what keeps it:
// 1. A late call never opens an attempt twice. `open` and `resolve` carry the floor: the next
//    ticket when the attempt was planned, as the workflow's history has it. The attempt's own
//    ticket is not lower. `forgottenBelow` is above every forgotten ticket. So an unknown attempt
//    with a floor from there on was never opened, and one with a lower floor is refused. Other
//    calls change nothing without a record.
// 2. No splitter takes a late call for news: it has stored that the attempt is over, and refuses.
//    It says so when it attaches and with each cut (`VolumeRow.over`), and only then the row goes.
// 3. A splitter whose older folder was put back may have the fence again. It asks, is told that the
//    attempt is forgotten, and lifts the fence: the owner that the site names when the volume
//    attaches is right, whatever the verdict was.
// 4. A commit stays known as long as its span of ownership. The span goes once the volume has moved
//    on, so the move has joined by then, or never can.
// 5. A call without a floor comes from an earlier version. It works as it did then, so the row of
//    an attempt that was opened by one is never forgotten.
import { attemptName, type AttemptRef } from '../../../contracts/attempt.js';
import { MoverError } from '../../../contracts/errors.js';
import type { VolumeId } from '../../../contracts/ids.js';
import { ownerKey } from './owners.js';
import type { AttemptRow } from './rows.js';
import type { SiteState } from './state.js';

/** An attempt that nothing needs, and that may yet be asked for by a mover that was away. */
export interface IdleAttempt {
  readonly name: string;
  readonly ticket: number;
}

/** What a look at some attempts found. */
export interface LookAtAttempts {
  readonly forgotten: number;
  readonly idle: readonly IdleAttempt[];
}

/**
 * Forgets those of the named attempts that nothing has needed for a while.
 * @param keptMs how long a mover that was away may still ask for a verdict, by the clock of ages
 */
export function forgetAttempts(
  state: SiteState,
  names: Iterable<string>,
  ageMs: number,
  keptMs: number,
): LookAtAttempts {
  let forgotten = 0;
  const idle: IdleAttempt[] = [];
  for (const name of names) {
    const row = state.attempts.get(name);
    if (row === undefined || !isIdle(state, row)) continue;
    const { idleSinceMs = ageMs } = row;
    if (ageMs - idleSinceMs >= keptMs) {
      state.forgetAttempt(row);
      forgotten += 1;
      continue;
    }
    if (row.idleSinceMs === undefined) state.attempts.put(name, { ...row, idleSinceMs });
    idle.push({ name, ticket: row.ticket });
  }
  return { forgotten, idle };
}

/** Whether nothing here needs the attempt any more, and a late call of it can be told. */
function isIdle(state: SiteState, row: AttemptRow): row is AttemptRow & { readonly ticket: number } {
  const { record, ticket } = row;
  if (ticket === undefined || record.state === 'OPEN') return false;
  const { contents } = record;
  if (state.pointsAwaiting(record.attempt).length > 0) return false;
  if (contents === undefined) return true;
  if (!contents.volumes.every(({ volume }) => hasAcknowledged(state, volume, ticket))) return false;
  return record.state === 'ABORTED' || isHistory(state, row);
}

/** Whether the volume's splitter has stored that the attempt is over. A retired volume has none. */
function hasAcknowledged(state: SiteState, volume: VolumeId, ticket: number): boolean {
  if (state.volumes.unreadable.has(volume)) return false;
  const row = state.volumes.get(volume);
  return row === undefined || row.retired !== undefined || (row.over ?? 0) >= ticket;
}

/** Whether a committed attempt's volumes have left again, and history before that is forgotten. */
function isHistory(state: SiteState, { record: { contents } }: AttemptRow): boolean {
  return (contents?.volumes ?? []).every(({ volume, epoch }) => {
    const owned = ownerKey({ volume, epoch: epoch + 1 });
    return state.owners.get(owned) === undefined && !state.owners.unreadable.has(owned);
  });
}

/**
 * Whether an attempt may be a forgotten one. An unreadable counter may stand for any number.
 * @param floor no higher than its ticket
 */
export function mayBeForgotten(state: SiteState, attempt: AttemptRef, floor: number): boolean {
  const { forgottenBelow = Number.POSITIVE_INFINITY } = state;
  return state.attempt(attempt) === undefined && floor < forgottenBelow;
}

/** Refuses a late call. @throws MoverError STALE_ATTEMPT, CORRUPT */
export function refuseForgotten(state: SiteState, attempt: AttemptRef, floor: number | undefined): void {
  if (floor === undefined || !mayBeForgotten(state, attempt, floor)) return;
  state.refuseForgottenUnknown();
  throw new MoverError(
    'STALE_ATTEMPT',
    `Attempt ${attemptName(attempt)} is over or was planned too long ago: the replica site has forgotten how attempts before ticket ${state.forgottenBelow} ended.`,
  );
}
