// The way back of a committed move that was started as reversible. Until it ends, the old group
// keeps a place for each volume, and the points that it had of them at the commit. So the move can
// be reversed, and nothing is lost by it.
//
// The rules, each with what relies on it:
// 1. The attempt's record holds it: the commit opens it in its own transaction, so no other volume
//    can take the place between the two (keptIn).
// 2. It ends by the clock of ages, whoever is alive. Every look-up compares the time itself. The
//    row that says so is written later, by a round of retention (endLapsed).
// 3. The volumes go back together, or stay. Any other move of one of them is refused
//    (refuseOtherWays), so no commit but the reversing one ends a way back.
// 4. While one is open, the points that it holds don't age: the policy judges them as of the commit
//    of the group's oldest open way back. So a point is held for REVERSIBLE_MS_MAX at most beyond
//    its policy, however many ways back follow each other (holdIn).
import type { AttemptRecord, WayBack } from '../../../contracts/attempt.js';
import { MoverError } from '../../../contracts/errors.js';
import type { GroupId, MoveId, VolumeId } from '../../../contracts/ids.js';
import { isoTime } from '../../../contracts/iso-time.js';
import type { PointMember } from '../../../contracts/point.js';
import type { PointRow, VolumeRow } from './rows.js';
import type { SiteState } from './state.js';
import type { SiteMoment } from './terms.js';

/** A record whose way back is open. */
export interface OpenWayBack {
  readonly record: AttemptRecord;
  readonly contents: NonNullable<AttemptRecord['contents']>;
  readonly wayBack: WayBack;
}

/** Points that open ways back out of a group hold. */
export interface Hold {
  /** The commit of the oldest one, by the clock of ages. */
  readonly sinceMs: number;
  readonly holds: (row: PointRow) => boolean;
}

/** The way back that opens now. */
export function openedWayBack(reversibleForMs: number, { ageMs }: SiteMoment): WayBack {
  return { sinceMs: ageMs, untilMs: ageMs + reversibleForMs };
}

/** The open ways back to the group; without one, to any. */
export function openWaysBack(state: SiteState, ageMs: number, to?: GroupId): OpenWayBack[] {
  return state.unendedWaysBack(to).flatMap((record) => {
    const open = asOpen(state, record, ageMs);
    return open === undefined ? [] : [open];
  });
}

/** The open way back of the move that brought the volume where it is. */
export function openWayBackOf(state: SiteState, row: VolumeRow, ageMs: number): OpenWayBack | undefined {
  const record = state.wayBackFrom(row.volume, row.epoch);
  return record === undefined ? undefined : asOpen(state, record, ageMs);
}

function asOpen(state: SiteState, record: AttemptRecord, ageMs: number): OpenWayBack | undefined {
  const { contents, wayBack } = record;
  if (contents === undefined || wayBack === undefined || wayBack.ended !== undefined) return undefined;
  if (wayBack.untilMs <= ageMs || !isWhereMoved(state, contents)) return undefined;
  return { record, contents, wayBack };
}

/** Whether the volumes are where the attempt moved them. An unreadable row is taken to say so. */
function isWhereMoved(state: SiteState, { volumes }: OpenWayBack['contents']): boolean {
  return volumes.every(({ volume, epoch }) => {
    const row = state.volumes.get(volume);
    return row === undefined
      ? state.volumes.unreadable.has(volume)
      : row.epoch === epoch + 1 && row.retired === undefined;
  });
}

/**
 * Refuses to move a volume anywhere but back, all volumes of its way back together.
 * @throws MoverError STILL_REVERSIBLE
 */
export function refuseOtherWays(
  state: SiteState,
  { volumes, to }: { readonly volumes: readonly { readonly volume: VolumeId }[]; readonly to: GroupId },
  ageMs: number,
): void {
  const moving = new Set(volumes.map(({ volume }) => volume));
  for (const volume of moving) {
    const open = openWayBackOf(state, state.volume(volume), ageMs);
    if (open === undefined) continue;
    const isBack = open.contents.from === to && open.contents.volumes.every((bound) => moving.has(bound.volume));
    if (!isBack)
      throw new MoverError(
        'STILL_REVERSIBLE',
        `Only the way back is open, and as a whole: ${sentenceOf(volume, open)}.`,
      );
  }
}

/** @example 'volume "v1" can go back to group "gold" until …, since move m-1 is reversible' */
export function sentenceOf(volume: VolumeId, { record, contents, wayBack }: OpenWayBack): string {
  return `volume "${volume}" can go back to group "${contents.from}" until ${isoTime(wayBack.untilMs)}, since move ${record.attempt.move} is reversible`;
}

/**
 * Which points of a group its open ways back hold; undefined if there are none. A point is held for
 * a volume that it names as it was before the commit.
 */
export function holdIn(state: SiteState, group: GroupId, ageMs: number): Hold | undefined {
  const open = openWaysBack(state, ageMs, group);
  if (open.length === 0) return undefined;
  const epochs = new Map<VolumeId, number>();
  for (const { contents } of open)
    for (const { volume, epoch } of contents.volumes) epochs.set(volume, Math.max(epoch, epochs.get(volume) ?? 0));
  const isHeld = (member: PointMember): boolean => member.epoch <= (epochs.get(member.volume) ?? -1);
  // Neighbouring points share their members.
  const known = new Map<readonly PointMember[], boolean>();
  return {
    sinceMs: Math.min(...open.map(({ wayBack }) => wayBack.sinceMs)),
    holds: ({ point: { members } }) => {
      const held = known.get(members) ?? members.some(isHeld);
      known.set(members, held);
      return held;
    },
  };
}

/** Ends the ways back that the commit of a move uses up. */
export function reversedBy(state: SiteState, move: MoveId, contents: OpenWayBack['contents'], now: SiteMoment): void {
  for (const { volume, epoch } of contents.volumes) {
    const record = state.wayBackFrom(volume, epoch);
    if (record?.wayBack?.ended !== undefined || record === undefined) continue;
    const isBack = record.contents?.from === contents.to;
    endWayBack(state, record, isBack ? { why: 'reversed', move } : { why: 'lost' }, now);
  }
}

/**
 * Ends the way back of a move, because a person says so. One that has ended stays as it is.
 * @throws MoverError ATTEMPT_NOT_FOUND, CORRUPT, NOT_REVERSIBLE
 */
export function finalizeMove(
  state: SiteState,
  { move, operator, reason }: { readonly move: MoveId; readonly operator: string; readonly reason: string },
  now: SiteMoment,
): AttemptRecord {
  const n = state.moves.get(move)?.highestN;
  const record = n === undefined ? undefined : state.attempt({ move, n });
  if (record === undefined)
    throw new MoverError('ATTEMPT_NOT_FOUND', `The replica site knows no attempt of move ${move}.`);
  if (record.wayBack === undefined) {
    const why = record.state === 'OPEN' ? 'is not committed yet' : 'was not started as reversible, or moved nothing';
    throw new MoverError('NOT_REVERSIBLE', `Move ${move} has no way back to end: it ${why}.`);
  }
  return record.wayBack.ended === undefined
    ? endWayBack(state, record, { why: 'finalized', operator, reason }, now)
    : record;
}

/**
 * Notes of the ways back that are not open any more that they have ended.
 * @returns their records
 */
export function endLapsed(state: SiteState, now: SiteMoment): AttemptRecord[] {
  return state
    .unendedWaysBack()
    .filter((record) => asOpen(state, record, now.ageMs) === undefined)
    .map((record) => endWayBack(state, record, { why: 'lost' }, now));
}

function endWayBack(
  state: SiteState,
  record: AttemptRecord,
  end: Omit<NonNullable<WayBack['ended']>, 'atMs'>,
  { ageMs, wallMs }: SiteMoment,
): AttemptRecord {
  const { wayBack } = record;
  if (wayBack === undefined) return record;
  // Whatever is found later: its time was over before.
  const why = wayBack.untilMs <= ageMs ? ({ why: 'over' } as const) : end;
  return state.putAttempt({ ...record, wayBack: { ...wayBack, ended: { atMs: wallMs, ...why } } });
}
