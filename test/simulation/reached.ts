// Marks of what a run reached: each guard, refusal and rare branch of the protocol counts how often
// it was hit. A simulation that never gets to a branch says nothing about it.

/**
 * What CI's share of runs must reach. Other marks are counted too; these are the ones that a change
 * of the simulation must not lose.
 */
const DECLARED_MARKS: readonly string[] = [
  'a backlog that spilled',
  'a move failed: MOVE_REFUSED',
  'a move failed: WINDOW_CLOSED',
  'a queue that overflowed',
  'a round over more than two splitters',
  'a round that was not held',
  'a move failed: STALE_ATTEMPT',
  'a renewal that the deadline cut short',
  'a splitter asked about a notice: ABORTED',
  'a splitter asked: ABORTED',
  'a splitter asked: COMMITTED',
  'a write failed at the source',
  'aborted: announced and gone',
  'aborted: its lease ran out and another move needed the volume',
  'aborted: its lease ran out, and volume',
  'aborted: lease ran out',
  'aborted: the move was cancelled',
  'adopt refused: ATTEMPT_ABORTED',
  'aimed: cancel',
  'aimed: crash',
  'aimed: delay',
  'aimed: duplicate',
  'aimed: gone',
  'aimed: lose',
  'aimed: outage',
  'aimed: terminate',
  'aimed: workerDies',
  'attach refused: EPOCH_MISMATCH',
  'attach refused: FOREIGN_SOURCE',
  'attach refused: LINEAGE_FORKED',
  'attach refused: STALE_SESSION',
  'bookmark refused: ATTEMPT_ABORTED',
  'confirm: another life',
  'confirm: expired',
  'confirm: repeated',
  'drain refused: CUT_VOID',
  'fence refused: ATTEMPT_ABORTED',
  'fence refused: ATTEMPT_COMMITTED',
  'fence refused: CUT_VOID',
  'fence refused: NOT_NOTIFIED',
  'fence refused: NOT_SYNCED',
  'fence refused: STALE_ATTEMPT',
  'fence refused: STORAGE_FULL',
  'fence: repeated',
  'fence: with cuts of other members',
  'hasty adopt refused: NOT_SEALED',
  'hasty bookmark refused: NOT_SEALED',
  'hasty join refused: NOT_COMMITTED',
  'hasty seal refused: NOT_DRAINED',
  'join refused: STALE_ATTEMPT',
  'learn refused: NOT_FENCED',
  'learn refused: STALE_ATTEMPT',
  'left out: behind',
  'left out: inconsistent',
  'left out: initializing',
  'left out: marks-only',
  'left out: moved',
  'left out: not-in-cut',
  'left out: unreachable',
  'moves of one volume at the same time',
  'notify refused: ATTEMPT_ABORTED',
  'notify refused: ATTEMPT_COMMITTED',
  'notify refused: PENDING_VERDICT',
  'notify refused: STALE_ATTEMPT',
  'open refused: NOT_SYNCED',
  'open refused: STORAGE_FULL',
  'open refused: VOLUME_BUSY',
  'point: joined',
  'point: with a provisional member',
  'provisional members kept',
  'provisional members struck',
  'record refused: EPOCH_MISMATCH',
  'record refused: STALE_SESSION',
  'record refused: STORAGE_FULL',
  'record refused: WRITE_GAP',
  'recovery by time: before the first point',
  'recovery by time: found',
  'renew refused: ATTEMPT_COMMITTED',
  'renew refused: CUT_VOID',
  'renew refused: FENCE_LAPSED',
  'renew refused: NOT_FENCED',
  'resolve: ABORTED',
  'resolve: COMMITTED',
  'resolve: OPEN',
  'resolve: unknown',
  'retention: a person kept a point',
  'retention: by policy',
  'retention: for room',
  'retention: forgot a hole',
  'retention: forgot an owner',
  'retention: round',
  'seal refused: ATTEMPT_ABORTED',
  'seal refused: STORAGE_FULL',
  "the site's own join",
  'zeroes',
];

/** Counts marks by name. */
export class Reached {
  readonly counts = new Map<string, number>();

  hit(mark: string): void {
    this.counts.set(mark, (this.counts.get(mark) ?? 0) + 1);
  }
}

/** The declared marks that nothing reached. */
export function unreached(counts: ReadonlyMap<string, number>): string[] {
  return DECLARED_MARKS.filter((mark) => (counts.get(mark) ?? 0) === 0);
}
