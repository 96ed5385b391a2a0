// The life of an attempt at the replica site: open, renew, seal, bookmark, adopt (the commit) or
// resolve. One verdict, once, for all volumes.
import type { AttemptRecord, AttemptRef, AttemptVolume, Cut, Instant, Seal, Term } from '../../../contracts/attempt.js';
import { attemptName } from '../../../contracts/attempt.js';
import type { ClockDoubt } from '../../../contracts/clock.js';
import { MoverError } from '../../../contracts/errors.js';
import type { GroupId, PointId, VolumeId } from '../../../contracts/ids.js';
import { LEASE_MS_DEFAULT } from '../../../contracts/move.js';
import type { RecoveryPoint } from '../../../contracts/point.js';
import type { DrainProgress, replicaSiteApi } from '../../../contracts/replica-site-api.js';
import type { KeepRequest } from '../../../contracts/retention.js';
import type { ParsedInputOf } from '../../../contracts/route.js';
import { beginOwnership } from './owners.js';
import { refuseForgotten } from './forgetting.js';
import { addPoint, keepFrom, type NewPoint, settleProvisional } from './points.js';
import { agedFromMs } from './policy.js';
import { retiredSentence } from './records.js';
import type { VolumeRow } from './rows.js';
import type { SiteState } from './state.js';
import { openedWayBack, openWaysBack, refuseOtherWays, reversedBy } from './ways-back.js';
import { endOf, sinceInstant, termOf, type SiteMoment } from './terms.js';

/**
 * How long a committed move's own mover has to ask for the "joined" bookmark: enough for a worker's
 * death and a retry.
 */
const MOVER_JOINS_WITHIN_MS = 30_000;
/**
 * Stands in for the instant that an earlier version did not note: its verdicts count as given when
 * this life began. No life has this number.
 */
const SOME_EARLIER_LIFE: Instant = { life: -1, atMs: 0 };
/** Stands in for the terms of an earlier version, which were instants of a wall clock. */
const TERM_OF_EARLIER_VERSION: Term = { life: -1, untilMs: 0, ms: LEASE_MS_DEFAULT };

type Contents = NonNullable<AttemptRecord['contents']>;

export interface OpenInput {
  readonly attempt: AttemptRef;
  readonly volumes: readonly AttemptVolume[];
  readonly from: GroupId;
  readonly to: GroupId;
  readonly leaseMs: number;
  readonly deadlineAfterMs: number;
  /** How long after the commit the move can be reversed. */
  readonly reversibleForMs?: number | undefined;
  /** The next ticket when the attempt was planned. */
  readonly floor?: number | undefined;
}

/**
 * Opens an attempt. A repeated call gets the record as it is now.
 * @throws MoverError STALE_ATTEMPT, ATTEMPT_MISMATCH, INVALID_REQUEST, VOLUME_NOT_FOUND,
 * VOLUME_RETIRED, GROUP_NOT_FOUND, GROUP_RETIRED, NOT_SYNCED, NOT_OWNER, EPOCH_MISMATCH,
 * VOLUME_BUSY, STILL_REVERSIBLE, GROUP_FULL
 */
export function openAttempt(state: SiteState, input: OpenInput, now: SiteMoment): AttemptRecord {
  const known = state.attempt(input.attempt);
  if (known !== undefined) {
    if (known.contents !== undefined && !sameContents(known.contents, input)) {
      throw new MoverError(
        'ATTEMPT_MISMATCH',
        `Attempt ${attemptName(input.attempt)} was opened with other volumes or groups.`,
      );
    }
    return known;
  }
  const highestN = state.moves.get(input.attempt.move)?.highestN ?? 0;
  if (highestN > input.attempt.n)
    throw new MoverError(
      'STALE_ATTEMPT',
      `Attempt ${highestN} of move ${input.attempt.move} is known; ${input.attempt.n} is over.`,
    );
  refuseForgotten(state, input.attempt, input.floor);
  state.group(input.from);
  if (new Set(input.volumes.map((bound) => bound.volume)).size < input.volumes.length)
    throw new MoverError('INVALID_REQUEST', 'A volume is named twice.');
  if (input.from === input.to)
    throw new MoverError('INVALID_REQUEST', `The volumes are in group "${input.to}" already.`);
  for (const bound of input.volumes) checkAcquainted(state, bound);
  for (const bound of input.volumes) checkOwnership(state.volume(bound.volume), bound, input.from);
  for (const bound of input.volumes) clearTheWay(state, bound.volume, input.attempt, now);
  refuseOtherWays(state, input, now.ageMs);
  const target = state.group(input.to);
  if (target.retired !== undefined) throw new MoverError('GROUP_RETIRED', `Group "${input.to}" is retired.`);
  freeExpiredRooms(state, input.to, 'its lease ran out and another move needed the room', now);
  const taken = state.memberCount(input.to) + reservedIn(state, input.to, now.monotonicMs);
  const kept = keptIn(state, input.to, now);
  const arriving = input.volumes.filter(({ volume }) => !kept.has(volume)).length;
  if (arriving > 0 && taken + kept.size + arriving > target.volumesMax) {
    throw new MoverError(
      'GROUP_FULL',
      `Group "${input.to}" has room for ${target.volumesMax} volumes and ${taken + kept.size} are taken or reserved.`,
    );
  }
  const { lastPointAtMs, lastOrder = 0 } = state.group(input.from);
  for (const { volume } of input.volumes)
    state.volumes.put(volume, { ...state.volume(volume), openAttempt: input.attempt });
  state.moves.put(input.attempt.move, { highestN: input.attempt.n });
  // A floor from the undone future of a folder that was put back must not be above the ticket.
  if (input.floor !== undefined) recoverTickets(state, input.floor - 1);
  const ticket = state.take('tickets');
  const opened: AttemptRecord = {
    attempt: input.attempt,
    state: 'OPEN',
    contents: {
      ticket,
      volumes: [...input.volumes],
      from: input.from,
      to: input.to,
      openedAtMs: now.wallMs,
      clockMs: lastPointAtMs,
      pointOrder: lastOrder,
      lease: termOf(state.life, now.monotonicMs, Math.min(input.leaseMs, input.deadlineAfterMs)),
      deadline: termOf(state.life, now.monotonicMs, input.deadlineAfterMs),
      ...(input.reversibleForMs === undefined ? {} : { reversibleForMs: input.reversibleForMs }),
    },
    seals: [],
  };
  return state.putAttempt(opened, input.floor === undefined ? undefined : ticket);
}

function sameContents(known: Contents, input: OpenInput): boolean {
  const list = (volumes: readonly AttemptVolume[]): string =>
    volumes.map((bound) => `${bound.volume}@${bound.splitter}:${bound.epoch}`).join();
  return known.from === input.from && known.to === input.to && list(known.volumes) === list(input.volumes);
}

/**
 * Refuses a volume that its splitter has not attached yet in this life: a site whose older folder
 * was put back may know less than the splitters, so they are heard first.
 */
function checkAcquainted(state: SiteState, { volume, splitter }: AttemptVolume): void {
  if (state.volume(volume).session === 0 || state.acquainted.has(volume)) return;
  throw new MoverError(
    'NOT_SYNCED',
    `Splitter ${splitter} has not attached volume "${volume}" since the replica site was started.`,
  );
}

function checkOwnership(row: VolumeRow, bound: AttemptVolume, from: GroupId): void {
  if (row.retired !== undefined) throw new MoverError('VOLUME_RETIRED', retiredSentence(row.volume));
  if (row.epoch !== bound.epoch)
    throw new MoverError(
      'EPOCH_MISMATCH',
      `Volume "${bound.volume}" is at epoch ${row.epoch}, not ${bound.epoch}: it was moved meanwhile.`,
    );
  if (row.group !== from)
    throw new MoverError('NOT_OWNER', `Volume "${bound.volume}" is in group "${row.group}", not "${from}".`);
}

/**
 * Aborts an older attempt of the same move, and one whose lease ran out. Refuses while another
 * move's lease runs.
 */
function clearTheWay(state: SiteState, volume: VolumeId, attempt: AttemptRef, now: SiteMoment): void {
  const other = state.volume(volume).openAttempt;
  if (other === undefined) return;
  if (other.move === attempt.move) resolveAttempt(state, other, `superseded by attempt ${attempt.n}`, now.wallMs);
  else if (hasExpired(state, state.attempt(other), now.monotonicMs))
    resolveAttempt(state, other, 'its lease ran out and another move needed the volume', now.wallMs);
  else throw new MoverError('VOLUME_BUSY', `Volume "${volume}" is being moved by ${other.move}.`);
}

/**
 * Whether others that need its volumes or its room may abort an open attempt: its lease ran out.
 */
export function hasExpired(state: SiteState, record: AttemptRecord | undefined, monotonicMs: number): boolean {
  const contents = record?.contents;
  return contents === undefined || leaseLeftMs(state, contents, monotonicMs) <= 0;
}

/** How long the lease of an open attempt still runs; negative once it ran out. */
export function leaseLeftMs({ life }: SiteState, { lease }: Contents, monotonicMs: number): number {
  return endOf(life, lease ?? TERM_OF_EARLIER_VERSION) - monotonicMs;
}

/** Whether the move behind an open attempt may still renew it. */
export function mayRenew({ life }: SiteState, { deadline }: Contents, monotonicMs: number): boolean {
  return endOf(life, deadline ?? TERM_OF_EARLIER_VERSION) > monotonicMs;
}

/**
 * How many volumes open attempts will bring into the group. An attempt whose lease ran out reserves
 * no room.
 */
export function reservedIn(state: SiteState, group: GroupId, monotonicMs: number): number {
  let reserved = 0;
  for (const { record, volumes } of openAttemptsTo(state, group))
    if (!hasExpired(state, record, monotonicMs)) reserved += volumes;
  // The target of an attempt whose record can't be read is unknown: its room is reserved in every
  // group.
  for (const { name, volumes } of state.openAttempts()) if (state.attempts.unreadable.has(name)) reserved += volumes;
  return reserved;
}

/** How many places of the group are reserved for volumes to come, or kept for a way back. */
export function comingTo(state: SiteState, group: GroupId, now: SiteMoment): number {
  return reservedIn(state, group, now.monotonicMs) + keptIn(state, group, now).size;
}

/**
 * The volumes for which open ways back keep a place in the group. One that is on its way there has
 * its place by its attempt.
 */
export function keptIn(state: SiteState, group: GroupId, { monotonicMs, ageMs }: SiteMoment): ReadonlySet<VolumeId> {
  const volumes = openWaysBack(state, ageMs, group).flatMap(({ contents }) =>
    contents.volumes.map(({ volume }) => volume),
  );
  const isOnItsWay = (volume: VolumeId): boolean => {
    const row = state.volumes.get(volume);
    const attempt = row === undefined ? undefined : attemptInTheWay(state, row, monotonicMs);
    return attempt !== undefined && state.attempts.get(attemptName(attempt))?.record.contents?.to === group;
  };
  return new Set(volumes.filter((volume) => !isOnItsWay(volume)));
}

/**
 * Aborts attempts to the group whose leases ran out: each could still be committed, into room that
 * is given away.
 */
export function freeExpiredRooms(state: SiteState, group: GroupId, why: string, now: SiteMoment): void {
  for (const { record } of openAttemptsTo(state, group)) {
    if (hasExpired(state, record, now.monotonicMs)) resolveAttempt(state, record.attempt, why, now.wallMs);
  }
}

function openAttemptsTo(
  state: SiteState,
  group: GroupId,
): { readonly record: AttemptRecord; readonly volumes: number }[] {
  return state.openAttempts().flatMap(({ name, volumes }) => {
    const record = state.attempts.get(name)?.record;
    return record?.contents?.to === group ? [{ record, volumes }] : [];
  });
}

/**
 * Names of the attempts that may bring volumes into the group: their leases run, or their records
 * can't be read.
 */
export function attemptsInTheWayOf(state: SiteState, group: GroupId, monotonicMs: number): string[] {
  const live = openAttemptsTo(state, group).filter(({ record }) => !hasExpired(state, record, monotonicMs));
  const unreadable = state.openAttempts().filter(({ name }) => state.attempts.unreadable.has(name));
  return [...live.map(({ record }) => attemptName(record.attempt)), ...unreadable.map(({ name }) => name)];
}

/** The open attempt that keeps other moves from the volume; undefined if its lease ran out. */
export function attemptInTheWay(
  state: SiteState,
  { openAttempt }: VolumeRow,
  monotonicMs: number,
): AttemptRef | undefined {
  if (openAttempt === undefined) return undefined;
  const isUnreadable = state.attempts.unreadable.has(attemptName(openAttempt));
  return isUnreadable || !hasExpired(state, state.attempt(openAttempt), monotonicMs) ? openAttempt : undefined;
}

/** @throws MoverError ATTEMPT_NOT_FOUND */
export function getAttempt(state: SiteState, attempt: AttemptRef): AttemptRecord {
  const record = state.attempt(attempt);
  if (record === undefined) throw new MoverError('ATTEMPT_NOT_FOUND', `There is no attempt ${attemptName(attempt)}.`);
  return record;
}

/** @throws MoverError ATTEMPT_NOT_FOUND, ATTEMPT_ABORTED, ATTEMPT_COMMITTED */
function openContents(
  state: SiteState,
  attempt: AttemptRef,
): { readonly record: AttemptRecord; readonly contents: Contents } {
  const record = getAttempt(state, attempt);
  if (record.state === 'COMMITTED')
    throw new MoverError('ATTEMPT_COMMITTED', `Attempt ${attemptName(attempt)} is committed.`);
  if (record.state === 'ABORTED' || record.contents === undefined) {
    throw new MoverError(
      'ATTEMPT_ABORTED',
      `Attempt ${attemptName(attempt)} was aborted: ${record.reason ?? 'no reason kept'}.`,
    );
  }
  return { record, contents: record.contents };
}

/**
 * Renews the lease, at most up to the deadline. What is left of the deadline is stored with each
 * renewal, so that a restart of the site prolongs it by one lease at most.
 * @throws MoverError as openContents
 */
export function renewAttempt(
  state: SiteState,
  attempt: AttemptRef,
  leaseMs: number,
  monotonicMs: number,
): AttemptRecord {
  const { record, contents } = openContents(state, attempt);
  const { lease = TERM_OF_EARLIER_VERSION, deadline = TERM_OF_EARLIER_VERSION } = contents;
  const lastMs = endOf(state.life, deadline);
  const untilMs = Math.max(endOf(state.life, lease), Math.min(monotonicMs + leaseMs, lastMs));
  const leftUntil = (endMs: number): Term => termOf(state.life, monotonicMs, Math.max(0, endMs - monotonicMs));
  return state.putAttempt({
    ...record,
    contents: { ...contents, lease: leftUntil(untilMs), deadline: leftUntil(lastMs) },
  });
}

/**
 * Renews the lease for a step, if the attempt is still open. If it isn't, the step itself says so.
 */
export function renewIfOpen(
  state: SiteState,
  attempt: AttemptRef,
  leaseMs: number | undefined,
  monotonicMs: number,
): void {
  if (leaseMs !== undefined && state.attempt(attempt)?.state === 'OPEN')
    renewAttempt(state, attempt, leaseMs, monotonicMs);
}

/**
 * How far the old group's writes are drained. Changes nothing.
 * @throws MoverError ATTEMPT_NOT_FOUND, VOLUME_NOT_FOUND, CUT_VOID (the cut's writes will never
 * arrive: a later session has attached)
 */
export function drainProgress(state: SiteState, attempt: AttemptRef, cuts: readonly Cut[]): DrainProgress {
  getAttempt(state, attempt);
  let bytesLeft = 0;
  let recordsMissing = 0;
  let drained = true;
  for (const cut of cuts) {
    const row = state.volume(cut.volume);
    refuseLostCut(state, row, cut);
    const position = state.positionOf(row, cut);
    const durable = state.lineages.durable(cut.volume).position;
    recordsMissing += position === undefined ? cut.n : Math.max(0, position - durable);
    bytesLeft += state.lineages.undistributedBytes(cut.volume);
    if (position === undefined || state.lineages.appliedPosition(cut.volume) < position) drained = false;
  }
  return { drained, bytesLeft, recordsMissing };
}

/**
 * Refuses a cut in an earlier session that is not durable: once a later session has attached, it
 * never will be.
 */
function refuseLostCut(state: SiteState, row: VolumeRow, cut: Cut): void {
  if (cut.session >= row.session) return;
  const durable = state.lineages.durable(row.volume);
  if (durable.session === cut.session && durable.n >= cut.n) return;
  throw new MoverError(
    'CUT_VOID',
    `Volume "${row.volume}" will never have its cut (session ${cut.session}, write ${cut.n}): session ${row.session} has attached.`,
  );
}

/**
 * Makes the snapshot: a pinned point of the old group exactly at the cut. Every volume must be
 * applied up to its cut, with nothing accepted beyond it.
 * @throws MoverError as openContents, ATTEMPT_MISMATCH, EPOCH_MISMATCH, NOT_OWNER, NOT_SYNCED,
 * NOT_DRAINED, CUT_VOID
 */
export function sealAttempt(
  state: SiteState,
  attempt: AttemptRef,
  cuts: readonly Cut[],
  others: readonly Cut[],
  atMs: number,
  {
    now,
    doubt,
    applicationConsistent,
  }: {
    readonly now?: SiteMoment | undefined;
    readonly doubt?: ClockDoubt | undefined;
    readonly applicationConsistent?: true | undefined;
  } = {},
): AttemptRecord {
  const known = getAttempt(state, attempt);
  if (known.state === 'COMMITTED' && sealedAt(known, cuts)) return known;
  const { record, contents } = openContents(state, attempt);
  if (record.left !== undefined) {
    if (sealedAt(record, cuts)) return record;
    throw new MoverError('ATTEMPT_MISMATCH', `Attempt ${attemptName(attempt)} is sealed at another cut.`);
  }
  const seals = contents.volumes.map((bound) => sealOf(state, bound, contents.from, cuts));
  for (const seal of seals) state.volumes.put(seal.volume, { ...state.volume(seal.volume), sealed: true });
  const left: NewPoint = {
    group: contents.from,
    kind: 'left',
    atMs,
    doubt,
    cuts: [...seals, ...others.filter((other) => !seals.some((seal) => seal.volume === other.volume))],
    leftOut: [],
    after: { atMs: contents.clockMs, order: contents.pointOrder ?? 0 },
    pinnedBy: attempt,
  };
  const point = addPoint(state, left, now);
  return state.putAttempt({
    ...record,
    seals,
    left: {
      point: point.id,
      atMs: point.atMs,
      name: bookmarkName('left', contents),
      bookmarked: false,
      ...(applicationConsistent === undefined ? {} : { applicationConsistent }),
    },
  });
}

function sealedAt({ seals }: AttemptRecord, cuts: readonly Cut[]): boolean {
  const sealed = (cut: Cut): boolean =>
    seals.some((seal) => seal.volume === cut.volume && seal.session === cut.session && seal.n === cut.n);
  return cuts.length === seals.length && cuts.every(sealed);
}

function sealOf(state: SiteState, bound: AttemptVolume, from: GroupId, cuts: readonly Cut[]): Seal {
  const cut = cuts.find((candidate) => candidate.volume === bound.volume);
  if (cut === undefined)
    throw new MoverError(
      'ATTEMPT_MISMATCH',
      `The cut of volume "${bound.volume}" is missing: all volumes of a move are sealed together.`,
    );
  const row = state.volume(bound.volume);
  checkOwnership(row, bound, from);
  refuseLostCut(state, row, cut);
  if (row.openHole !== undefined)
    throw new MoverError('NOT_SYNCED', `Volume "${bound.volume}" is in short initialization.`);
  const position = state.positionOf(row, cut);
  const durable = state.lineages.durable(bound.volume);
  if (position === undefined || state.lineages.appliedPosition(bound.volume) < position) {
    throw new MoverError(
      'NOT_DRAINED',
      `Volume "${bound.volume}" is not applied up to its cut (session ${cut.session}, write ${cut.n}) yet.`,
    );
  }
  if (durable.position !== position || (cut.session === row.session && state.acceptedN(row) !== cut.n)) {
    throw new MoverError(
      'CUT_VOID',
      `Volume "${bound.volume}" has writes beyond the cut (session ${cut.session}, write ${cut.n}).`,
    );
  }
  return { volume: bound.volume, session: cut.session, n: cut.n, position };
}

/** Name and keep of the "left" bookmark. */
interface LeftBookmark {
  readonly name?: string | undefined;
  readonly keep?: KeepRequest | undefined;
}

/** @throws MoverError as openContents, NOT_SEALED */
export function bookmarkAttempt(
  state: SiteState,
  attempt: AttemptRef,
  { name, keep }: LeftBookmark = {},
): AttemptRecord {
  const known = getAttempt(state, attempt);
  if (known.left?.bookmarked === true && known.state === 'COMMITTED') return known;
  const { record } = openContents(state, attempt);
  if (record.left === undefined)
    throw new MoverError('NOT_SEALED', `Attempt ${attemptName(attempt)} has no snapshot yet.`);
  if (record.left.bookmarked) return record;
  const row = state.point(record.left.point);
  const bookmark = {
    name: name ?? record.left.name,
    pending: true,
    keep: keepFrom(keep, agedFromMs(row.point)),
    attempt,
    ...(record.left.applicationConsistent === true ? { applicationConsistent: true as const } : {}),
  };
  state.points.put(row.point.id, { ...row, point: { ...row.point, bookmark } });
  return state.putAttempt({ ...record, left: { ...record.left, name: bookmark.name, bookmarked: true } });
}

function bookmarkName(kind: 'left' | 'joined', contents: Contents): string {
  const [first] = contents.volumes;
  const more = contents.volumes.length - 1;
  const what = `${first?.volume ?? ''}${more > 0 ? ` and ${more} more` : ''}`;
  return kind === 'left' ? `${what} left for ${contents.to}` : `${what} joined from ${contents.from}`;
}

/**
 * Commits, in one transaction: the new group owns every volume at epoch + 1, and the "left"
 * bookmark is in force.
 * @throws MoverError ATTEMPT_NOT_FOUND, ATTEMPT_ABORTED, NOT_SEALED, EPOCH_MISMATCH, NOT_OWNER
 */
export function adoptAttempt(state: SiteState, attempt: AttemptRef, now: SiteMoment): AttemptRecord {
  const known = getAttempt(state, attempt);
  if (known.state === 'COMMITTED') return known;
  const { record, contents } = openContents(state, attempt);
  if (record.left?.bookmarked !== true)
    throw new MoverError('NOT_SEALED', `Attempt ${attemptName(attempt)} has no bookmarked snapshot.`);
  for (const bound of contents.volumes) {
    const row = state.volume(bound.volume);
    checkOwnership(row, bound, contents.from);
    if (!row.sealed) throw new MoverError('NOT_SEALED', `Volume "${bound.volume}" is not sealed.`);
  }
  for (const bound of contents.volumes) {
    const { openAttempt: _open, ...row } = state.volume(bound.volume);
    const moved: VolumeRow = { ...row, group: contents.to, epoch: bound.epoch + 1, sealed: false };
    state.volumes.put(bound.volume, moved);
    const position = record.seals.find((seal) => seal.volume === bound.volume)?.position ?? 0;
    beginOwnership(state, moved, { position, atMs: record.left.atMs, move: attempt.move });
  }
  const left = state.point(record.left.point);
  const { pinnedBy: _pin, ...unpinned } = left;
  const { bookmark } = left.point;
  state.points.put(left.point.id, {
    ...unpinned,
    point: bookmark === undefined ? left.point : { ...left.point, bookmark: { ...bookmark, pending: false } },
  });
  settleProvisional(state, attempt, 'COMMITTED');
  const decided = { life: state.life.number, atMs: now.monotonicMs };
  reversedBy(state, attempt.move, contents, now);
  const { reversibleForMs } = contents;
  const wayBack = reversibleForMs === undefined ? {} : { wayBack: openedWayBack(reversibleForMs, now) };
  return state.putAttempt({ ...record, state: 'COMMITTED', decidedAtMs: now.wallMs, decided, ...wayBack });
}

/**
 * Restores a commit that a splitter learned of and this site lost (an older copy of its folder was
 * put back). If the attempt is still sealed, it is committed again. Otherwise only the verdict is
 * stored; each volume's splitter knows the new owner. A stored verdict never changes.
 */
export function recommitAttempt(state: SiteState, attempt: AttemptRef, reason: string, now: SiteMoment): void {
  const record = state.attempt(attempt);
  if (record !== undefined && record.state !== 'OPEN') return;
  const contents = record?.contents;
  const isWhole =
    record?.left?.bookmarked === true &&
    contents?.volumes.every(({ volume, epoch }) => {
      const row = state.volumes.get(volume);
      return row?.sealed === true && row.epoch === epoch && row.group === contents.from;
    }) === true;
  if (isWhole) {
    adoptAttempt(state, attempt, now);
    return;
  }
  // The volumes left: points since the fence do not have them, though the attempt's rest is void.
  settleProvisional(state, attempt, 'COMMITTED');
  resolveAttempt(state, attempt, reason, now.wallMs);
  state.putAttempt({ attempt, state: 'COMMITTED', seals: [], decidedAtMs: now.wallMs, reason });
}

/** Makes attempts opened from now on newer than one that a splitter has seen. */
export function recoverTickets(state: SiteState, ticket: number): void {
  if (state.counters.unreadable.has('tickets')) return;
  const next = state.counters.get('tickets')?.next ?? 1;
  if (ticket >= next) state.counters.put('tickets', { next: ticket + 1 });
}

/**
 * Aborts an open attempt; a verdict is for ever. An unknown attempt leaves a tombstone, so that
 * opening it late is refused.
 */
export function resolveAttempt(state: SiteState, attempt: AttemptRef, reason: string, wallMs: number): AttemptRecord {
  const record = state.attempt(attempt);
  if (record === undefined) {
    const highestN = Math.max(attempt.n, state.moves.get(attempt.move)?.highestN ?? 0);
    state.moves.put(attempt.move, { highestN });
    return state.putAttempt({ attempt, state: 'ABORTED', seals: [], decidedAtMs: wallMs, reason });
  }
  if (record.state !== 'OPEN') return record;
  for (const { volume } of record.contents?.volumes ?? []) {
    const { openAttempt: _open, ...row } = state.volume(volume);
    state.volumes.put(volume, { ...row, sealed: false });
  }
  if (record.left !== undefined) state.points.delete(record.left.point);
  settleProvisional(state, attempt, 'ABORTED');
  const { left: _void, ...rest } = record;
  return state.putAttempt({ ...rest, state: 'ABORTED', seals: [], decidedAtMs: wallMs, reason });
}

/**
 * Answers the question for a verdict. With `onlyIfExpired` an open attempt whose lease still runs
 * stays open.
 * @throws MoverError STALE_ATTEMPT (it is over, and may have been forgotten)
 */
export function answerVerdict(
  state: SiteState,
  { attempt, ticket, floor, reason, onlyIfExpired }: ParsedInputOf<(typeof replicaSiteApi)['resolve']>,
  { monotonicMs, wallMs }: SiteMoment,
): AttemptRecord {
  if (ticket !== undefined) recoverTickets(state, ticket);
  const record = state.attempt(attempt);
  if (onlyIfExpired && record?.state === 'OPEN' && !hasExpired(state, record, monotonicMs)) return record;
  if (record === undefined) refuseForgotten(state, attempt, ticket ?? floor);
  const resolved = resolveAttempt(state, attempt, reason, wallMs);
  // Its late `open` will have the same floor, and so can be told once this record is forgotten.
  if (record === undefined && floor !== undefined && !state.counters.unreadable.has('tickets')) {
    recoverTickets(state, floor - 1);
    state.putAttempt(resolved, state.take('tickets'));
  }
  return resolved;
}

/**
 * Puts the "joined" bookmark on the first point of the new group that contains every moved volume,
 * once. A point that does not contain them all changes nothing; the answer then has no `joined`.
 * @throws MoverError ATTEMPT_NOT_FOUND, NOT_COMMITTED, STALE_ATTEMPT, POINT_NOT_FOUND
 */
export function joinAttempt(state: SiteState, attempt: AttemptRef, pointId: PointId): AttemptRecord {
  const record = getAttempt(state, attempt);
  const { contents } = record;
  if (record.state !== 'COMMITTED')
    throw new MoverError('NOT_COMMITTED', `Attempt ${attemptName(attempt)} is ${record.state}.`);
  if (contents === undefined)
    throw new MoverError(
      'STALE_ATTEMPT',
      `The replica site has lost what attempt ${attemptName(attempt)} was about; only its verdict is known: ${record.reason ?? 'COMMITTED'}.`,
    );
  if (record.joined !== undefined) return record;
  for (const bound of contents.volumes) {
    const { epoch } = state.volume(bound.volume);
    if (epoch !== bound.epoch + 1)
      throw new MoverError(
        'STALE_ATTEMPT',
        `Volume "${bound.volume}" was moved again before it joined "${contents.to}".`,
      );
  }
  const row = state.point(pointId);
  // A point has one bookmark, and the first one stays.
  if (row.point.bookmark !== undefined || !containsAll(row.point, contents)) return record;
  const name = bookmarkName('joined', contents);
  state.points.put(pointId, {
    ...row,
    point: {
      ...row.point,
      kind: 'joined',
      bookmark: {
        name,
        pending: false,
        keep: 'policy',
        attempt,
        ...(isAtCut(row.point, record) ? { applicationConsistent: true } : {}),
      },
    },
  });
  return state.putAttempt({ ...record, joined: { point: pointId, name } });
}

/** Whether the point has the volumes as they were frozen: nothing was written since the cut. */
function isAtCut({ members }: RecoveryPoint, { left, seals }: AttemptRecord): boolean {
  return (
    left?.applicationConsistent === true &&
    seals.every((seal) => members.some(({ volume, position }) => volume === seal.volume && position === seal.position))
  );
}

/**
 * Closes a point of a group. If a committed move's mover is gone, the first point with every moved
 * volume gets the "joined" bookmark here, once the mover had its time to ask.
 * @throws MoverError GROUP_NOT_FOUND
 */
export function closeGroupPoint(state: SiteState, input: NewPoint, now: SiteMoment): RecoveryPoint {
  for (const { volume, over } of input.cuts) if (over !== undefined) acknowledge(state, volume, over);
  const { id, members } = addPoint(state, input, now);
  for (const { attempt, contents, decided = SOME_EARLIER_LIFE } of state.unjoinedAttempts(members)) {
    const waitedMs = sinceInstant(state.life, decided, now.monotonicMs);
    if (contents === undefined || waitedMs < MOVER_JOINS_WITHIN_MS || !isInForce(state, contents)) continue;
    if (joinAttempt(state, attempt, id).joined !== undefined) break;
  }
  return state.point(id).point;
}

/** Notes up to which ticket attempts are over for a volume, as its splitter has stored. */
function acknowledge(state: SiteState, volume: VolumeId, over: number): void {
  const row = state.volumes.get(volume);
  if (row !== undefined && over > (row.over ?? 0)) state.volumes.put(volume, { ...row, over });
}

/** Whether the volumes are still where the attempt moved them. */
function isInForce(state: SiteState, { volumes }: Contents): boolean {
  return volumes.every(({ volume, epoch }) => state.volumes.get(volume)?.epoch === epoch + 1);
}

/** A provisional member does not count: it is struck if the volume leaves again. */
function containsAll(point: RecoveryPoint, contents: Contents): boolean {
  return (
    point.group === contents.to &&
    contents.volumes.every((bound) =>
      point.members.some(
        ({ volume, epoch, provisional }) =>
          volume === bound.volume && epoch === bound.epoch + 1 && provisional === undefined,
      ),
    )
  );
}
