// Rows as the control API shows them, a page at a time.
import { attemptName } from '../../../contracts/attempt.js';
import { heldOf, type Hole, type Ownership, type RecoveryPoint } from '../../../contracts/point.js';
import type { ApplianceId, GroupId, VolumeId } from '../../../contracts/ids.js';
import type { OpenAttempt, OpenWayBack, SiteGroup, SiteVolume } from '../../../contracts/replica-site-api.js';
import { attemptInTheWay, comingTo, leaseLeftMs } from './attempts.js';
import { pointsOf } from './points.js';
import type { GroupRow, VolumeRow } from './rows.js';
import type { SiteState } from './state.js';
import type { SiteMoment } from './terms.js';
import { openWayBackOf, openWaysBack } from './ways-back.js';

export interface Page<Item> {
  readonly items: Item[];
  /** The cursor of the next page, if there is one. */
  readonly next?: string;
}

export interface PageInput {
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** The first `limit` items whose key comes after the cursor. `items` are sorted by key. */
function pageOf<Item>(items: readonly Item[], keyOf: (item: Item) => string, { cursor, limit }: PageInput): Page<Item> {
  const start = cursor === undefined ? 0 : items.findIndex((item) => keyOf(item) > cursor);
  if (start < 0) return { items: [] };
  const page = items.slice(start, start + limit);
  const last = page.at(-1);
  return last === undefined || start + limit >= items.length ? { items: page } : { items: page, next: keyOf(last) };
}

/** Filters a listing of groups: every given field must match. */
interface GroupFilter {
  readonly group?: GroupId | undefined;
  readonly appliance?: ApplianceId | undefined;
}

/** @throws MoverError GROUP_NOT_FOUND when the filter names a group that does not exist. */
export function pageOfGroups(
  state: SiteState,
  { group, appliance, cursor, limit }: PageInput & GroupFilter,
  now: SiteMoment,
): Page<SiteGroup> {
  const items: SiteGroup[] = [];
  for (const row of group === undefined ? state.groupsAfter(cursor) : [state.group(group)]) {
    if (appliance !== undefined && row.appliance !== appliance) continue;
    if (group !== undefined && cursor !== undefined && row.group <= cursor) continue;
    const last = items.at(-1);
    if (items.length === limit && last !== undefined) return { items, next: last.group };
    items.push(siteGroup(state, row, now));
  }
  return { items };
}

function siteGroup(
  state: SiteState,
  { group, appliance, volumesMax, pointEveryMs, rpoMsMax, retention, journal, retired }: GroupRow,
  now: SiteMoment,
): SiteGroup {
  return {
    group,
    appliance,
    volumesMax,
    pointEveryMs,
    ...(rpoMsMax === undefined ? {} : { rpoMsMax }),
    volumes: state.memberCount(group),
    reserved: comingTo(state, group, now),
    retention,
    journal,
    ...(retired === undefined ? {} : { retired }),
  };
}

/** @throws MoverError GROUP_NOT_FOUND */
export function siteVolume(state: SiteState, row: VolumeRow, { monotonicMs, ageMs }: SiteMoment): SiteVolume {
  const { volume, splitter, sizeBytes, group, epoch, vm, labels, retired } = row;
  const { position, session, n, timeMs } = state.lineages.durable(volume);
  return {
    volume,
    splitter,
    sizeBytes,
    group,
    appliance: state.group(group).appliance,
    epoch,
    durable: { position, session, n, timeMs },
    appliedPosition: state.lineages.appliedPosition(volume),
    undistributedBytes: state.lineages.undistributedBytes(volume),
    initializing: row.openHole !== undefined,
    ...holderOf(state, row, monotonicMs),
    ...wayBackOf(state, row, ageMs),
    ...(vm === undefined ? {} : { vm }),
    ...(labels === undefined ? {} : { labels: { ...labels } }),
    ...(retired === undefined ? {} : { retired }),
  };
}

/** The attempt in the way of a volume, with what is left of its lease if its record can be read. */
export function holderOf(
  state: SiteState,
  row: VolumeRow,
  monotonicMs: number,
): Pick<SiteVolume, 'openAttempt' | 'openAttemptLeaseMs'> {
  const openAttempt = attemptInTheWay(state, row, monotonicMs);
  if (openAttempt === undefined) return {};
  const contents = state.attempts.get(attemptName(openAttempt))?.record.contents;
  if (contents === undefined) return { openAttempt };
  return { openAttempt, openAttemptLeaseMs: wholeLeftMs(state, contents, monotonicMs) };
}

function wholeLeftMs(state: SiteState, contents: Parameters<typeof leaseLeftMs>[1], monotonicMs: number): number {
  return Math.max(0, Math.ceil(leaseLeftMs(state, contents, monotonicMs)));
}

/** The open attempts, by name; on the first page also those whose records can't be read. */
export function pageOfOpenAttempts(
  state: SiteState,
  page: PageInput,
  monotonicMs: number,
): Page<OpenAttempt> & { readonly unreadable: string[] } {
  const names = state
    .openAttempts()
    .map(({ name }) => name)
    .toSorted();
  const { items, ...rest } = pageOf(names, (name) => name, page);
  const attempts = items.flatMap((name): OpenAttempt[] => {
    const record = state.attempts.get(name)?.record;
    if (record?.contents === undefined) return [];
    return [{ record, leaseMs: wholeLeftMs(state, record.contents, monotonicMs) }];
  });
  const unreadable = page.cursor === undefined ? names.filter((name) => state.attempts.unreadable.has(name)) : [];
  return { items: attempts, unreadable, ...rest };
}

/** The open way back of the move that brought the volume where it is, as a listing shows it. */
export function wayBackOf(state: SiteState, row: VolumeRow, ageMs: number): Pick<SiteVolume, 'wayBack'> {
  const open = openWayBackOf(state, row, ageMs);
  if (open === undefined) return {};
  const { record, contents, wayBack } = open;
  const { from: to, volumes } = contents;
  return { wayBack: { move: record.attempt.move, to, untilMs: wayBack.untilMs, volumes: volumes.length } };
}

/** The open ways back, ordered by move. */
export function pageOfWaysBack(state: SiteState, page: PageInput, ageMs: number): Page<OpenWayBack> {
  const items = openWaysBack(state, ageMs).map(({ record, contents, wayBack }): OpenWayBack => ({
    move: record.attempt.move,
    volumes: contents.volumes.map(({ volume }) => volume),
    group: contents.to,
    to: contents.from,
    untilMs: wayBack.untilMs,
  }));
  return pageOf(
    items.toSorted((a, b) => (a.move < b.move ? -1 : 1)),
    ({ move }) => move,
    page,
  );
}

/** Digits of a place in a cursor: padded cursors sort like places in the timeline. */
const PLACE_DIGITS = 15;

export function pageOfPoints(
  state: SiteState,
  {
    group,
    volume,
    ...page
  }: PageInput & { readonly group?: GroupId | undefined; readonly volume?: VolumeId | undefined },
): Page<RecoveryPoint> & { readonly holes: Hole[]; readonly owners: Ownership[] } {
  const padded = (place: number): string => String(place).padStart(PLACE_DIGITS, '0');
  const placed = (kind: number, place: number, rest: string): string => `${kind}:${padded(place)}:${rest}`;
  // The order of `inTimelineOrder`: snapshots that follow one point stand by their cuts' times.
  const inTimeline = ({ id, order, atMs, kind }: RecoveryPoint): string =>
    order === undefined ? placed(0, atMs, id) : placed(1, order, `${kind === 'left' ? 1 : 0}:${padded(atMs)}:${id}`);
  const keyOf = (point: RecoveryPoint): string =>
    volume === undefined || point.order === undefined
      ? inTimeline(point)
      : placed(1, heldOf(point, volume), inTimeline(point));
  const holes = volume === undefined ? [] : state.holesOf(volume);
  const owners = volume !== undefined ? state.ownersOf(volume) : group !== undefined ? state.ownedBy(group) : [];
  const shown = owners.map((owner) => withWayBack(state, owner));
  return { ...pageOf(pointsOf(state, { group, volume }), keyOf, page), holes, owners: shown };
}

function withWayBack(state: SiteState, owner: Ownership): Ownership {
  const wayBack = state.wayBackFrom(owner.volume, owner.epoch)?.wayBack;
  return wayBack === undefined ? owner : { ...owner, wayBack };
}
