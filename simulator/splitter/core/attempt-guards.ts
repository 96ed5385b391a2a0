// What a move's control calls may do to a volume's row. Each call may be repeated, delayed or
// reordered: a refusal throws, a change is the row that follows.
import {
  type AttemptVolume,
  attemptName,
  isSameAttempt,
  type Endpoint,
  type TicketedAttempt,
  type Verdict,
} from '../../../contracts/attempt.js';
import { MoverError } from '../../../contracts/errors.js';
import type { SplitterId } from '../../../contracts/ids.js';
import type { Fence, VolumeSplitRow } from './volume-split-row.js';

/** A volume's row, with what else decides about a call. */
export interface GuardedRow {
  readonly row: VolumeSplitRow;
  readonly splitter: SplitterId;
  /** The splitter restarted behind the fence: its cut may never be drained. */
  readonly isFenceVoid: boolean;
}

/**
 * Refuses a call of an attempt that is over here.
 * @throws MoverError ATTEMPT_ABORTED, ATTEMPT_COMMITTED (its verdict is known), STALE_ATTEMPT
 */
export function refuseOver({ row, splitter }: GuardedRow, attempt: TicketedAttempt): void {
  const { volume, decided, notice, fence } = row;
  if (decided !== undefined && isSameAttempt(decided.attempt, attempt)) {
    const code = decided.verdict === 'ABORTED' ? 'ATTEMPT_ABORTED' : 'ATTEMPT_COMMITTED';
    throw new MoverError(
      code,
      `Splitter ${splitter} knows the verdict of attempt ${attemptName(attempt)} on volume "${volume}": ${decided.verdict}.`,
    );
  }
  const known = [decided, notice, fence].map((each) => each?.attempt);
  const isForgotten = attempt.ticket <= (row.forgotten ?? 0);
  if (isForgotten || known.some((other) => other !== undefined && isBehind(attempt, other)))
    throw new MoverError(
      'STALE_ATTEMPT',
      `Splitter ${splitter} has seen a newer attempt on volume "${volume}" than ${attemptName(attempt)}.`,
    );
}

/**
 * Whether an attempt may be older than another one: its ticket is lower, or was given away twice.
 */
function isBehind(attempt: TicketedAttempt, other: TicketedAttempt): boolean {
  return attempt.ticket <= other.ticket && !isSameAttempt(attempt, other);
}

/** Whether another attempt's fence is up. */
export function isFencedByAnother({ fence }: VolumeSplitRow, attempt: TicketedAttempt): boolean {
  return fence !== undefined && !isSameAttempt(fence.attempt, attempt);
}

/** The row with its fence lapsed: the verdict must be asked for. */
export function withLapsedFence(row: VolumeSplitRow): VolumeSplitRow {
  return row.fence === undefined ? row : { ...row, fence: { ...row.fence, lapsed: true } };
}

/** Refuses a notice. @throws MoverError PENDING_VERDICT, EPOCH_MISMATCH */
export function refuseNotice(
  { row: { volume, fence, route }, splitter }: GuardedRow,
  attempt: TicketedAttempt,
  bound: AttemptVolume,
  from: Endpoint,
): void {
  if (fence !== undefined && !isSameAttempt(fence.attempt, attempt))
    throw new MoverError(
      'PENDING_VERDICT',
      `Splitter ${splitter} still awaits the verdict of attempt ${attemptName(fence.attempt)} on volume "${volume}".`,
    );
  if (route.epoch !== bound.epoch || route.group !== from.group)
    throw new MoverError(
      'EPOCH_MISMATCH',
      `Splitter ${splitter} sends volume "${volume}" to group "${route.group}" at epoch ${route.epoch}, not "${from.group}" at epoch ${bound.epoch}.`,
    );
}

/**
 * Refuses to raise a fence; the attempt's own may be up already.
 * @throws MoverError PENDING_VERDICT, FENCE_LAPSED, CUT_VOID, NOT_NOTIFIED
 */
export function refuseFence(guarded: GuardedRow, attempt: TicketedAttempt): 'up already' | 'may be raised' {
  const { row, splitter } = guarded;
  const { volume, fence, notice } = row;
  if (fence !== undefined) {
    if (!isSameAttempt(fence.attempt, attempt))
      throw new MoverError('PENDING_VERDICT', `Volume "${volume}" is fenced by attempt ${attemptName(fence.attempt)}.`);
    refuseInvalid(guarded, fence);
    return 'up already';
  }
  if (!isSameAttempt(notice?.attempt, attempt))
    throw new MoverError(
      'NOT_NOTIFIED',
      `Splitter ${splitter} has no notice of attempt ${attemptName(attempt)} for volume "${volume}".`,
    );
  return 'may be raised';
}

/**
 * The fence whose lease the attempt may renew.
 * @throws MoverError NOT_FENCED, FENCE_LAPSED, CUT_VOID
 */
export function renewableFence(guarded: GuardedRow, attempt: TicketedAttempt): Fence {
  const { volume, fence } = guarded.row;
  if (fence === undefined || !isSameAttempt(fence.attempt, attempt))
    throw new MoverError('NOT_FENCED', `Volume "${volume}" has no fence of attempt ${attemptName(attempt)}.`);
  refuseInvalid(guarded, fence);
  return fence;
}

function refuseInvalid({ row: { volume }, splitter, isFenceVoid }: GuardedRow, { lapsed }: Fence): void {
  if (lapsed) throw new MoverError('FENCE_LAPSED', `The lease of the fence of volume "${volume}" ran out.`);
  if (isFenceVoid)
    throw new MoverError('CUT_VOID', `Splitter ${splitter} was restarted behind the fence of volume "${volume}".`);
}

/** Refuses a verdict. @throws MoverError STALE_ATTEMPT, NOT_FENCED, ATTEMPT_MISMATCH */
export function refuseVerdict(
  guarded: GuardedRow,
  attempt: TicketedAttempt,
  verdict: Verdict,
  bound: AttemptVolume,
): void {
  const { volume, decided, fence, route } = guarded.row;
  if (decided !== undefined && isSameAttempt(decided.attempt, attempt)) {
    if (decided.verdict !== verdict)
      throw new MoverError(
        'ATTEMPT_MISMATCH',
        `The verdict of attempt ${attemptName(attempt)} is ${decided.verdict}, not ${verdict}.`,
      );
    return;
  }
  // A fence is lifted by its own verdict only, even if a newer attempt's came first.
  if (!isSameAttempt(fence?.attempt, attempt)) refuseOver(guarded, attempt);
  if (verdict === 'ABORTED') return;
  if (!isSameAttempt(fence?.attempt, attempt))
    throw new MoverError(
      'NOT_FENCED',
      `Volume "${volume}" has no fence of attempt ${attemptName(attempt)}: it can't have been committed.`,
    );
  if (route.epoch !== bound.epoch)
    throw new MoverError(
      'STALE_ATTEMPT',
      `Volume "${volume}" is at epoch ${route.epoch}; attempt ${attemptName(attempt)} was bound to ${bound.epoch}.`,
    );
}

/**
 * Every attempt with a ticket up to this is over here: a late call of one is refused. A fence that
 * awaits its verdict is not over, nor is what came after it.
 */
export function overUpTo({ decided, forgotten = 0, fence }: VolumeSplitRow): number {
  const over = Math.max(decided?.attempt.ticket ?? 0, forgotten);
  return fence === undefined ? over : Math.min(over, fence.attempt.ticket - 1);
}

/**
 * The row without the attempt's notice and fence: the replica site has forgotten the attempt, which
 * it does only once it is over. The route stays; the site names the owner when the volume attaches.
 */
export function withForgotten(before: VolumeSplitRow, attempt: TicketedAttempt): VolumeSplitRow | undefined {
  const { notice, fence, ...row } = before;
  const isNoticed = isSameAttempt(notice?.attempt, attempt);
  const isFenced = isSameAttempt(fence?.attempt, attempt);
  if (!isNoticed && !isFenced) return undefined;
  return {
    ...row,
    ...(notice === undefined || isNoticed ? {} : { notice }),
    ...(fence === undefined || isFenced ? {} : { fence }),
    forgotten: Math.max(row.forgotten ?? 0, attempt.ticket),
  };
}

export interface LearnedVerdict {
  readonly attempt: TicketedAttempt;
  readonly verdict: Verdict;
  readonly bound: AttemptVolume;
  readonly to: Endpoint;
  readonly atMs: number;
  readonly backlogBytes: number;
}

/**
 * The row with the verdict; undefined if it is known already. An attempt never seen before is
 * remembered as over.
 */
export function withVerdict(before: VolumeSplitRow, learned: LearnedVerdict): VolumeSplitRow | undefined {
  const { notice, fence, ...row } = before;
  const { attempt, verdict, bound, to, atMs, backlogBytes } = learned;
  if (isSameAttempt(row.decided?.attempt, attempt)) return undefined;
  const isNewest = (row.decided?.attempt.ticket ?? 0) < attempt.ticket;
  // An older notice is over, unless its fence is up: the notice names the resolvers to ask.
  const staysNotified =
    notice !== undefined &&
    !isSameAttempt(notice.attempt, attempt) &&
    (notice.attempt.ticket > attempt.ticket || fence !== undefined);
  const staysFenced = isFencedByAnother(before, attempt);
  return {
    ...row,
    ...(staysNotified ? { notice } : {}),
    ...(staysFenced ? { fence } : {}),
    decided: row.decided === undefined || isNewest ? { attempt, verdict, atMs, backlogBytes } : row.decided,
    route: verdict === 'ABORTED' ? row.route : { ...to, epoch: bound.epoch + 1 },
  };
}
