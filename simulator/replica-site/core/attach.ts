// How a splitter attaches a volume: whether both ends mean the same disk and the same history, and
// who owns the volume. The highest epoch, owner and ticket that either end has durably learned
// counts: the site takes over what the splitter knows and the site lost.
import { attemptName, type AttemptRef, type TicketedAttempt, type Verdict } from '../../../contracts/attempt.js';
import type { ErrorCode } from '../../../contracts/errors.js';
import type { GroupId, VolumeId } from '../../../contracts/ids.js';
import type { Advice, Confirmed, LifeId, LineageId, SourceId } from '../../../contracts/lineage.js';
import type { RecoveryPoint } from '../../../contracts/point.js';
import { hasExpired, recommitAttempt, recoverTickets, resolveAttempt } from './attempts.js';
import { mayBeForgotten } from './forgetting.js';
import { reviveGroup } from './lifecycle.js';
import { beginOwnership, cutOwnership } from './owners.js';
import { mendHolesOf, missing, retiredSentence } from './records.js';
import type { PointRow, VolumeRow } from './rows.js';
import { senderOf, withSender } from './senders.js';
import { acceptedSize, withServedSize } from './sizes.js';
import type { SiteState } from './state.js';
import type { SiteMoment } from './terms.js';

const MIB = 1024 * 1024;

/** What a splitter says about itself and a volume when it attaches. */
export interface Claim {
  readonly session: number;
  readonly life: LifeId;
  readonly epoch: number;
  readonly group: GroupId;
  readonly sizeBytes: number;
  readonly source: SourceId;
  /** Whether a person decided that this source replaces the one before. */
  readonly replaces: boolean;
  readonly confirmed?: Confirmed | undefined;
  readonly ticket: number;
  readonly decided?: { readonly attempt: TicketedAttempt; readonly verdict: Verdict } | undefined;
  /** Absent in claims of earlier versions. */
  readonly over?: number | undefined;
}

export interface Refusal {
  readonly kind: 'refuse';
  readonly code: ErrorCode;
  readonly message: string;
  readonly advice?: Advice;
}

export interface Attachment {
  readonly kind: 'attached';
  readonly session: number;
  /** The session's last durable write. */
  readonly n: number;
  readonly lineage: LineageId;
  readonly base: number;
  readonly former?: LifeId;
  /** Set while a short initialization has no end. Splitters whose claim has `over` are told. */
  readonly initializing?: true;
}

/**
 * The answer to a claim. `fork`: the journal must begin a new lineage, then `forkLineage` is
 * called.
 */
export type Hearing =
  | Refusal
  | { readonly kind: 'fork'; readonly reason: string }
  | { readonly kind: 'newSession' }
  | { readonly kind: 'sameSession' };

const refuse = (code: ErrorCode, message: string, advice?: Advice): Refusal =>
  advice === undefined ? { kind: 'refuse', code, message } : { kind: 'refuse', code, message, advice };

/**
 * Takes over what the splitter knows better, and judges the claim. A repeated call changes nothing
 * more.
 */
export function hear(state: SiteState, volume: VolumeId, claim: Claim, now: SiteMoment): Hearing {
  const known = state.volumes.get(volume);
  if (known === undefined) return missing(state, volume);
  if (known.retired !== undefined) return refuse('VOLUME_RETIRED', retiredSentence(volume));
  const wrongSize = sizeRefusal(known, claim);
  if (wrongSize !== undefined) return wrongSize;
  if (known.source !== undefined && known.source !== claim.source && !claim.replaces)
    return refuse(
      'FOREIGN_SOURCE',
      `The disk that the splitter offers for volume "${volume}" is not the one that its replica was made from. The replica is kept as it is, and nothing is taken from this disk.`,
    );
  recoverTickets(state, claim.ticket);
  takeOverVerdict(state, known, claim, now);
  const disowned = takeOverOwner(state, volume, claim, now);
  if (disowned !== undefined) return disowned;
  const row = state.volume(volume);
  const stale = staleSession(row, claim);
  if (stale !== undefined) return stale;
  const reason = forkReason(state, row, claim);
  if (reason !== undefined) return { kind: 'fork', reason };
  return { kind: claim.session > row.session ? 'newSession' : 'sameSession' };
}

/**
 * Refuses a size that the volume can't have. A larger one than was accepted is taken from the very
 * disk that the replica is made from: it grew, and an older copy of the site's folder was put back.
 */
function sizeRefusal(known: VolumeRow, { sizeBytes, source }: Claim): Refusal | undefined {
  const { volume } = known;
  if (sizeBytes < known.sizeBytes)
    return refuse(
      'INVALID_REQUEST',
      `Volume "${volume}" has ${known.sizeBytes} bytes at the replica site, not ${sizeBytes}. Make its disk as large again: volume-mover volume grow ${volume} --size ${known.sizeBytes / MIB}MiB`,
    );
  if (sizeBytes <= acceptedSize(known) || known.source === source) return undefined;
  return refuse(
    'INVALID_REQUEST',
    `Volume "${volume}" has ${known.sizeBytes} bytes at the replica site, not ${sizeBytes}. If the larger disk is right: volume-mover volume grow ${volume} --size ${sizeBytes / MIB}MiB`,
  );
}

/**
 * Registers the claim. Earlier sessions are refused from then on, so a late write of one can't slip
 * in. Everything that earlier sessions sent must be durable.
 */
export function attach(state: SiteState, volume: VolumeId, claim: Claim): Attachment {
  const row = state.volume(volume);
  const lineage = state.lineages.lineage(volume);
  const durable = state.lineages.durable(volume);
  const { session, life, source } = claim;
  const base = state.lineages.sessionBase(volume, session) ?? durable.position;
  if (session > row.session) settleMarks(state, row);
  if (session !== row.session || life !== row.life || source !== row.source || lineage !== row.lineage) {
    const senders = withSender(row.senders ?? [], { base, life });
    state.volumes.put(volume, { ...row, session, life, source, lineage, senders });
  }
  // A splitter whose older folder was put back knows less than it has said before.
  if (claim.over !== undefined && claim.over !== (row.over ?? 0))
    state.volumes.put(volume, { ...state.volume(volume), over: claim.over });
  const sized = withServedSize(state.volume(volume), claim.sizeBytes, durable.position);
  if (sized !== state.volume(volume)) state.volumes.put(volume, sized);
  state.acquainted.add(volume);
  return {
    kind: 'attached',
    session,
    n: durable.session === session ? durable.n : 0,
    lineage,
    base,
    ...(row.life === undefined ? {} : { former: row.life }),
    ...(claim.over === undefined || row.openHole === undefined ? {} : { initializing: true }),
  };
}

/**
 * Adjusts the rows after the journal has begun a new lineage at its durable position: whatever
 * names later positions names lost records.
 * @returns the answer to the splitter: it sends again what may differ, as a new session.
 */
export function forkLineage(state: SiteState, volume: VolumeId, reason: string, now: SiteMoment): Refusal {
  const lineage = state.lineages.lineage(volume);
  const { position } = state.lineages.durable(volume);
  const { openAttempt } = state.volume(volume);
  if (openAttempt !== undefined && !state.attempts.unreadable.has(attemptName(openAttempt)))
    resolveAttempt(state, openAttempt, `the history of volume "${volume}" was forked: ${reason}`, now.wallMs);
  strikeLost(state, volume);
  state.limitNamed(volume, state.lineages.soundPosition(volume, position));
  cutOwnership(state, volume);
  mendHolesOf(state, volume);
  state.volumes.put(volume, { ...state.volume(volume), lineage });
  return refuse('LINEAGE_FORKED', reason, { lineage: { lineage, position } });
}

/**
 * Takes over a verdict that the splitter learned. This site gave it: if the record says less, an
 * older copy of the site's folder was put back.
 */
function takeOverVerdict(state: SiteState, row: VolumeRow, { decided, ticket, epoch }: Claim, now: SiteMoment): void {
  // The verdict of an attempt whose row can't be read is unknown: the row stays as it is.
  const isReadable = (attempt: AttemptRef): boolean => !state.attempts.unreadable.has(attemptName(attempt));
  if (
    decided !== undefined &&
    isReadable(decided.attempt) &&
    state.attempt(decided.attempt)?.state !== decided.verdict &&
    !mayBeForgotten(state, decided.attempt, decided.attempt.ticket)
  ) {
    const attempt = { move: decided.attempt.move, n: decided.attempt.n };
    const why = `its verdict was learned by the splitter of volume "${row.volume}"`;
    if (decided.verdict === 'COMMITTED') recommitAttempt(state, attempt, why, now);
    else if (state.attempt(attempt)?.state === 'OPEN') resolveAttempt(state, attempt, why, now.wallMs);
  }
  const { openAttempt } = state.volume(row.volume);
  if (openAttempt === undefined || !isReadable(openAttempt)) return;
  const open = state.attempt(openAttempt);
  if (ticket > (open?.contents?.ticket ?? 0) || epoch > row.epoch)
    resolveAttempt(state, openAttempt, `the splitter of volume "${row.volume}" knows a newer attempt`, now.wallMs);
  // A splitter whose older folder was put back does not know of the attempt any more, and asks
  // nobody for its verdict. A cut behind a lost fence is void.
  else if (ticket < (open?.contents?.ticket ?? 0) && wasFenced(state, openAttempt, row.volume))
    resolveAttempt(
      state,
      openAttempt,
      `the splitter of volume "${row.volume}" has lost its fence: its folder was put back`,
      now.wallMs,
    );
  else if (hasExpired(state, open, now.monotonicMs))
    resolveAttempt(state, openAttempt, `its lease ran out, and volume "${row.volume}" was attached anew`, now.wallMs);
}

/** Whether the site has seen the attempt's fence of the volume: in points since, or by its seal. */
function wasFenced(state: SiteState, attempt: AttemptRef, volume: VolumeId): boolean {
  const isProvisional = ({ point }: PointRow): boolean =>
    point.members.some((member) => member.volume === volume && member.provisional !== undefined);
  return state.volume(volume).sealed || state.pointsAwaiting(attempt).some(isProvisional);
}

/**
 * Takes over the owner if the splitter's epoch is higher; or at the same epoch, if the site has no
 * memory of any session.
 */
function takeOverOwner(state: SiteState, volume: VolumeId, claim: Claim, { wallMs }: SiteMoment): Refusal | undefined {
  const row = state.volume(volume);
  if (claim.epoch < row.epoch) {
    const { appliance } = state.group(row.group);
    return refuse(
      'EPOCH_MISMATCH',
      `Volume "${volume}" is at epoch ${row.epoch} in group "${row.group}"; epoch ${claim.epoch} is refused.`,
      { owner: { group: row.group, appliance, epoch: row.epoch } },
    );
  }
  const same = claim.epoch === row.epoch && claim.group === row.group;
  if (same) return undefined;
  if (claim.epoch === row.epoch && row.session > 0)
    return refuse(
      'NOT_OWNER',
      `At epoch ${row.epoch} volume "${volume}" is in group "${row.group}" here, and in group "${claim.group}" at its splitter.`,
    );
  if (state.groups.get(claim.group) === undefined)
    return refuse(
      'GROUP_NOT_FOUND',
      `The splitter knows volume "${volume}" in group "${claim.group}", which the replica site does not have.`,
    );
  const owned: VolumeRow = { ...row, group: claim.group, epoch: claim.epoch, sealed: false };
  reviveGroup(state, claim.group);
  state.volumes.put(volume, owned);
  beginOwnership(state, owned, { position: state.lineages.durable(volume).position, atMs: wallMs });
  return undefined;
}

function staleSession(row: VolumeRow, claim: Claim): Refusal | undefined {
  const sameLife = row.life === undefined || row.life === claim.life;
  if (claim.session > row.session || (claim.session === row.session && sameLife)) return undefined;
  return refuse(
    'STALE_SESSION',
    `Volume "${row.volume}" is at session ${row.session} of another life; session ${claim.session} is refused.`,
    { sessionMin: row.session + 1 },
  );
}

/**
 * Why records can't follow the site's history as it is; undefined if that is the history that the
 * splitter confirmed.
 */
function forkReason(state: SiteState, row: VolumeRow, { confirmed }: Claim): string | undefined {
  const { volume } = row;
  const { position } = state.lineages.durable(volume);
  const lineage = state.lineages.lineage(volume);
  const named = state.namedPosition(volume);
  // A splitter with nothing confirmed has marked every write it ever took. Records that it doesn't
  // know of are in `touched`.
  const known = confirmed?.position === 0 ? undefined : confirmed;
  if (known !== undefined && known.lineage !== lineage)
    return `the replica site has another history of volume "${volume}" (at position ${position}) than the splitter confirmed (up to ${known.position})`;
  if (known !== undefined && known.position > position)
    return `the replica site has volume "${volume}" up to position ${position} only, and had confirmed ${known.position}`;
  if (known?.life !== undefined && senderOf(row.senders ?? [], known.position) !== known.life)
    return `the replica site has another history of volume "${volume}" (at position ${position}) than the splitter confirmed (up to ${known.position}): the record there came from another life of the splitter`;
  // The records since the last attachment are unknown: a splitter that confirmed nothing must
  // compare too.
  if (position > 0 && row.lineage !== undefined && row.lineage !== lineage)
    return `the replica site can't vouch for all that it has of volume "${volume}", which must be compared; its history goes on at position ${position}`;
  if (named > position)
    return `the replica site has volume "${volume}" up to position ${position} only, and knows of position ${named}`;
  return undefined;
}

/**
 * Strikes members at lost positions from their points: nobody may take later records for theirs.
 */
function strikeLost(state: SiteState, volume: VolumeId): void {
  const isSound = (position: number): boolean => state.lineages.soundPosition(volume, position) === position;
  for (const row of state.points.values()) {
    const member = row.point.members.find((candidate) => candidate.volume === volume);
    if (member === undefined || (isSound(member.position) && row.provisionalMarks[volume] === undefined)) continue;
    const { [volume]: _lost, ...provisionalMarks } = row.provisionalMarks;
    state.points.put(row.point.id, { ...row, provisionalMarks, point: withoutMember(row.point, volume, 'lost') });
  }
}

/**
 * Settles the marks of provisional members when a new session attaches. A mark that was reached is
 * dropped. One that was not reached never will be (its writes are sent again from marks), so its
 * member is struck.
 */
function settleMarks(state: SiteState, row: VolumeRow): void {
  const durable = state.lineages.durable(row.volume);
  for (const pointRow of state.pointsMarking(row.volume)) {
    const mark = pointRow.provisionalMarks[row.volume];
    if (mark === undefined) continue;
    const { [row.volume]: _settled, ...provisionalMarks } = pointRow.provisionalMarks;
    const reached = mark.n === 0 || (mark.session === durable.session && mark.n <= durable.n);
    const { point } = pointRow;
    state.points.put(
      point.id,
      reached
        ? { ...pointRow, provisionalMarks }
        : { ...pointRow, provisionalMarks, point: withoutMember(point, row.volume, 'marks-only') },
    );
  }
}

function withoutMember(point: RecoveryPoint, volume: VolumeId, reason: 'lost' | 'marks-only'): RecoveryPoint {
  return {
    ...point,
    members: point.members.filter((member) => member.volume !== volume),
    leftOut: [...point.leftOut, { volume, reason }],
  };
}
