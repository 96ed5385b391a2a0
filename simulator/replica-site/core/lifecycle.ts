// Rules for volumes and groups that are added, changed and retired at run time. Each finds every
// reason against it before it changes anything.
import { isDeepStrictEqual } from 'node:util';
import { pointsKeptFault } from '../../../contracts/estate.js';
import type { ApplianceId, GroupId, VolumeId } from '../../../contracts/ids.js';
import { isoTime } from '../../../contracts/iso-time.js';
import type {
  Changed,
  GroupChange,
  siteLifecycleApi,
  SiteVolumeChange,
  VolumeGrowth,
} from '../../../contracts/lifecycle.js';
import type { RecoveryPoint } from '../../../contracts/point.js';
import type { Keep, RetentionChange, RetentionPolicy } from '../../../contracts/retention.js';
import type { ParsedInputOf } from '../../../contracts/route.js';
import { Against } from './against.js';
import { attemptInTheWay, attemptsInTheWayOf, comingTo, freeExpiredRooms, resolveAttempt } from './attempts.js';
import { beginOwnership, deleteOwnership, endOwnership } from './owners.js';
import { isPromised } from './policy.js';
import { holeKey } from './records.js';
import { type GivenSettings, groupSettings, type GroupSettings, type VolumeRow, withSettings } from './rows.js';
import { acceptedSize } from './sizes.js';
import type { SiteState } from './state.js';
import type { SiteMoment } from './terms.js';
import { openWayBackOf, openWaysBack, sentenceOf } from './ways-back.js';

const MIB = 1024 * 1024;
const FIRST_EPOCH = 1;
const SAME: Changed = { changed: false };
const CHANGED: Changed = { changed: true };

/**
 * Adds a volume. Its splitter attaches it afterwards.
 * @throws MoverError CHANGE_REFUSED with every reason
 */
export function addVolume(state: SiteState, input: SiteVolumeChange, now: SiteMoment): Changed {
  const { volume, splitter, sizeMiB, group, vm, labels, dryRun } = input;
  const sizeBytes = sizeMiB * MIB;
  const known = state.volumes.get(volume);
  const against = new Against(`Volume "${volume}" cannot be added`);
  if (known !== undefined && isAdded(state, known, input)) {
    if (hasNames(known, input)) return SAME;
    against.add('NAME_TAKEN', volume, namesSentence(known));
    against.refuse();
  }
  const unreadable = state.volumes.unreadable.get(volume);
  if (unreadable !== undefined) against.add('VOLUME_UNUSABLE', volume, unreadable);
  else if (known?.forgetting !== undefined)
    against.add(
      'VOLUME_RETIRED',
      volume,
      `volume "${volume}" is being forgotten, which did not end; to end it: volume-mover volume forget ${volume} --confirm ${volume}`,
    );
  else if (known?.retired !== undefined)
    against.add('VOLUME_RETIRED', volume, `volume "${volume}" was retired, and its history is kept under this name`);
  else if (known !== undefined)
    against.add(
      'NAME_TAKEN',
      volume,
      `there is a volume "${volume}" of splitter "${known.splitter}" in group "${known.group}" with ${known.sizeBytes / MIB} MiB`,
    );
  else checkName(state, volume, against);
  if (state.isRetired('splitter', splitter))
    against.add('PROCESS_RETIRED', splitter, `splitter "${splitter}" is retired`);
  checkRoom(state, group, now, against);
  against.refuse();
  if (dryRun) return CHANGED;
  freeExpiredRooms(state, group, `its lease ran out, and volume "${volume}" was added to group "${group}"`, now);
  const row: VolumeRow = {
    volume,
    splitter,
    sizeBytes,
    group,
    epoch: FIRST_EPOCH,
    session: 0,
    sealed: false,
    ...(vm === undefined ? {} : { vm }),
    ...(labels === undefined ? {} : { labels }),
  };
  state.volumes.put(volume, row);
  beginOwnership(state, row, { position: 0, atMs: now.wallMs });
  return CHANGED;
}

/** Whether the volume is what an earlier call added, wherever it moved since. */
function isAdded(state: SiteState, row: VolumeRow, { splitter, sizeMiB, group }: SiteVolumeChange): boolean {
  const addedTo = row.addedTo ?? state.ownersOf(row.volume)[0]?.group;
  return (
    row.retired === undefined &&
    row.splitter === splitter &&
    row.sizeBytes === sizeMiB * MIB &&
    (row.group === group || addedTo === group)
  );
}

/** Whether the volume has the VM and labels that are asked for. */
function hasNames(row: VolumeRow, { vm = row.vm, labels = row.labels }: SiteVolumeChange): boolean {
  return vm === row.vm && isDeepStrictEqual(labels ?? {}, row.labels ?? {});
}

function namesSentence({ volume, vm, labels = {} }: VolumeRow): string {
  const names = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  const listed = names.length === 0 ? 'no labels' : `labels ${names.join(' ')}`;
  return `volume "${volume}" is there with ${vm === undefined ? 'no VM' : `VM ${vm}`} and ${listed}; to change them: volume-mover volume set ${volume}`;
}

/** Refuses a name that differs from another volume's or group's in capitals only. */
function checkName(state: SiteState, id: string, against: Against): void {
  const name = id.toLowerCase();
  const isOther = (other: string): boolean => other.toLowerCase() === name;
  for (const { volume } of state.volumes.values())
    if (isOther(volume)) against.add('NAME_TAKEN', id, `"${id}" has the name of volume "${volume}"`);
  for (const { group } of state.groups.values())
    if (isOther(group)) against.add('NAME_TAKEN', id, `"${id}" has the name of group "${group}"`);
}

function checkRoom(state: SiteState, group: GroupId, now: SiteMoment, against: Against): void {
  const row = state.groups.get(group);
  if (row === undefined) {
    against.add('GROUP_NOT_FOUND', group, `there is no consistency group "${group}"`);
    return;
  }
  if (row.retired !== undefined) against.add('GROUP_RETIRED', group, `group "${group}" is retired`);
  const taken = state.memberCount(group) + comingTo(state, group, now);
  if (taken >= row.volumesMax)
    against.add('GROUP_FULL', group, `group "${group}" has room for ${row.volumesMax} volumes; ${taken} are taken`);
}

/**
 * Changes the names that are given: the VM (null: none), and all labels.
 * @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE; CHANGE_REFUSED with every reason
 */
export function setVolume(
  state: SiteState,
  { volume, dryRun, vm: givenVm, labels: givenLabels }: ParsedInputOf<typeof siteLifecycleApi.setVolume>,
): Changed {
  const { vm: vmBefore, labels: labelsBefore = {}, ...row } = state.volume(volume);
  const vm = givenVm === undefined ? vmBefore : (givenVm ?? undefined);
  const labels = givenLabels ?? labelsBefore;
  if (vm === vmBefore && isDeepStrictEqual(labels, labelsBefore)) return SAME;
  const against = new Against(`Volume "${volume}" cannot be changed`);
  if (row.retired !== undefined) against.add('VOLUME_RETIRED', volume, `volume "${volume}" is retired`);
  against.refuse();
  const named = { ...(vm === undefined ? {} : { vm }), ...(Object.keys(labels).length === 0 ? {} : { labels }) };
  if (!dryRun) state.volumes.put(volume, { ...row, ...named });
  return CHANGED;
}

/**
 * Accepts a larger size of a volume: records up to it are taken from now on. The size is in force
 * once its splitter attaches with it.
 * @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE; CHANGE_REFUSED with every reason
 */
export function growVolume(
  state: SiteState,
  { volume, sizeMiB, dryRun }: VolumeGrowth,
  { monotonicMs }: SiteMoment,
): Changed {
  const row = state.volume(volume);
  const sizeBytes = sizeMiB * MIB;
  const present = acceptedSize(row);
  if (row.retired === undefined && sizeBytes === present) return SAME;
  const against = new Against(`Volume "${volume}" cannot be made larger`);
  if (row.retired !== undefined) against.add('VOLUME_RETIRED', volume, `volume "${volume}" was retired`);
  if (sizeBytes < present)
    against.add(
      'SHRINKING',
      volume,
      `volume "${volume}" has ${present / MIB} MiB at the replica site, and cannot be made smaller`,
    );
  const inTheWay = attemptInTheWay(state, row, monotonicMs);
  if (inTheWay !== undefined)
    against.add('VOLUME_BUSY', volume, `volume "${volume}" is being moved by ${inTheWay.move}`);
  against.refuse();
  if (!dryRun) state.volumes.put(volume, { ...row, acceptedBytes: sizeBytes });
  return CHANGED;
}

/**
 * Ends a volume's replication: it leaves its group, and nothing of it is accepted any more. Its
 * history stays. Its journal must be open.
 * @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE; CHANGE_REFUSED with every reason
 */
export function retireVolume(
  state: SiteState,
  { volume, dryRun }: { readonly volume: VolumeId; readonly dryRun: boolean },
  now: SiteMoment,
): Changed {
  const row = state.volume(volume);
  if (row.retired !== undefined) return SAME;
  const against = new Against(`Volume "${volume}" cannot be retired`);
  const inTheWay = attemptInTheWay(state, row, now.monotonicMs);
  if (inTheWay !== undefined)
    against.add('VOLUME_BUSY', volume, `volume "${volume}" is being moved by ${inTheWay.move}`);
  const wayBack = openWayBackOf(state, row, now.ageMs);
  if (wayBack !== undefined) against.add('STILL_REVERSIBLE', volume, sentenceOf(volume, wayBack));
  against.refuse();
  if (dryRun) return CHANGED;
  if (row.openAttempt !== undefined)
    resolveAttempt(state, row.openAttempt, `its lease ran out, and volume "${volume}" was retired`, now.wallMs);
  endOwnership(state, volume, { position: state.lineages.durable(volume).position, atMs: now.wallMs });
  state.volumes.put(volume, { ...state.volume(volume), retired: { atMs: now.wallMs } });
  return CHANGED;
}

/**
 * Begins to forget a retired volume. From here on no point names it, and nothing of it opens.
 * Refused while a promised bookmark contains it. Points without a promise go: the caller confirmed
 * that by the volume's name.
 * @param images how many images of it are open
 * @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE; CHANGE_REFUSED with every reason
 */
export function beginForgetting(
  state: SiteState,
  { volume, dryRun, images }: { readonly volume: VolumeId; readonly dryRun: boolean; readonly images: number },
  { ageMs }: SiteMoment,
): Changed {
  const row = state.volume(volume);
  if (row.forgetting !== undefined) return CHANGED;
  const named = [...state.points.values()].filter(({ point }) => namesVolume(point, volume));
  const against = new Against(`Volume "${volume}" cannot be forgotten`);
  if (row.retired === undefined) against.add('VOLUME_NOT_RETIRED', volume, `volume "${volume}" is not retired`);
  if (images > 0) against.add('HISTORY_IN_USE', volume, `${images} images of volume "${volume}" are open`);
  for (const { point } of named) {
    const { bookmark } = point;
    if (bookmark !== undefined && isMember(point, volume) && isPromised(bookmark.keep, ageMs))
      against.add(
        'HISTORY_IN_USE',
        point.id,
        `bookmark "${bookmark.name}" (point ${point.id} of group "${point.group}") contains it and is promised ${promiseText(bookmark.keep)}`,
      );
  }
  against.refuse();
  if (dryRun) return CHANGED;
  for (const { point, provisionalMarks, ...rest } of named) {
    const members = point.members.filter((member) => member.volume !== volume);
    if (members.length === 0 && isMember(point, volume)) {
      state.points.delete(point.id);
      continue;
    }
    const leftOut = point.leftOut.filter((one) => one.volume !== volume);
    const { [volume]: _forgotten, ...marks } = provisionalMarks;
    state.points.put(point.id, { ...rest, point: { ...point, members, leftOut }, provisionalMarks: marks });
  }
  for (const hole of state.holesOf(volume)) state.holes.delete(holeKey(hole));
  deleteOwnership(state, volume);
  state.volumes.put(volume, { ...row, forgetting: true });
  return CHANGED;
}

/** Deletes the row of a volume whose journal is removed: its name is free. */
export function endForgetting(state: SiteState, volume: VolumeId): void {
  // Two calls at once: the other one has ended, and the name may be in use again.
  if (state.volumes.get(volume)?.forgetting !== undefined) state.volumes.delete(volume);
}

function namesVolume(point: RecoveryPoint, volume: VolumeId): boolean {
  return isMember(point, volume) || point.leftOut.some((one) => one.volume === volume);
}

function isMember({ members }: RecoveryPoint, volume: VolumeId): boolean {
  return members.some((member) => member.volume === volume);
}

function promiseText(keep: Keep): string {
  return typeof keep === 'object' ? `until ${isoTime(keep.untilMs)}` : 'for ever';
}

/**
 * Adds a group, or brings a retired one back with these settings.
 * @throws MoverError CORRUPT; CHANGE_REFUSED with every reason
 */
export function addGroup(state: SiteState, { group, dryRun, ...given }: GroupChange): Changed {
  const settings = groupSettings(given);
  state.groups.refuseUnreadable(group);
  const known = state.groups.get(group);
  if (known !== undefined && known.retired === undefined && isDeepStrictEqual(groupSettings(known), settings))
    return SAME;
  const against = new Against(`Group "${group}" cannot be added`);
  if (known === undefined) checkName(state, group, against);
  else if (known.retired === undefined)
    against.add(
      'NAME_TAKEN',
      group,
      `there is a group "${group}" with other settings; to change them: volume-mover group set ${group}`,
    );
  checkPointsKept(group, settings, against);
  checkAppliance(state, settings.appliance, against);
  against.refuse();
  if (dryRun) return CHANGED;
  const { retired: _ended, ...before } = known ?? { group, lastPointAtMs: 0, journal: { bytes: 0, pointsDropped: 0 } };
  state.groups.put(group, withSettings({ ...before, ...settings }, settings));
  return CHANGED;
}

function checkAppliance(state: SiteState, appliance: ApplianceId, against: Against): void {
  if (state.isRetired('appliance', appliance))
    against.add('PROCESS_RETIRED', appliance, `appliance "${appliance}" is retired`);
}

/**
 * Changes the settings that are given.
 * @throws MoverError GROUP_NOT_FOUND, CORRUPT; CHANGE_REFUSED with every reason
 */
export function setGroup(
  state: SiteState,
  {
    group,
    dryRun,
    ...given
  }: { readonly group: GroupId; readonly dryRun: boolean } & {
    readonly [Name in Exclude<keyof GroupSettings, 'retention' | 'rpoMsMax'>]?: GroupSettings[Name] | undefined;
  } & { readonly retention?: RetentionChange | undefined; readonly rpoMsMax?: number | null | undefined },
  now: SiteMoment,
): Changed {
  const row = state.group(group);
  const { appliance = row.appliance, volumesMax = row.volumesMax } = given;
  const { pointEveryMs = row.pointEveryMs } = given;
  const retention = changedPolicy(row.retention, given.retention);
  const rpoMsMax = given.rpoMsMax === undefined ? row.rpoMsMax : (given.rpoMsMax ?? undefined);
  const settings = groupSettings({ appliance, volumesMax, pointEveryMs, rpoMsMax, retention });
  if (isDeepStrictEqual(groupSettings(row), settings)) return SAME;
  const against = new Against(`Group "${group}" cannot be changed`);
  if (row.retired !== undefined) against.add('GROUP_RETIRED', group, `group "${group}" is retired`);
  const members = state.memberCount(group);
  const isElsewhere = appliance !== row.appliance;
  if (isElsewhere && members > 0)
    against.add(
      'GROUP_IN_USE',
      group,
      `${members} volumes of group "${group}" are protected through appliance "${row.appliance}"`,
    );
  if (isElsewhere) checkAppliance(state, appliance, against);
  if (isElsewhere) checkWays(state, group, now, against);
  const coming = comingTo(state, group, now);
  if (volumesMax < members + coming)
    against.add(
      'GROUP_IN_USE',
      'volumesMax',
      `group "${group}" owns ${members} volumes, and ${coming} are on their way to it or may come back: more than ${volumesMax}`,
    );
  if (pointEveryMs !== row.pointEveryMs || !isDeepStrictEqual(retention, row.retention))
    checkPointsKept(group, settings, against);
  if (isShorter(retention, row.retention) && !isElsewhere) checkWaysBack(state, group, now, against);
  against.refuse();
  if (dryRun) return CHANGED;
  if (isElsewhere || volumesMax < row.volumesMax)
    freeExpiredRooms(state, group, `its lease ran out, and group "${group}" was changed`, now);
  state.groups.put(group, withSettings(row, settings));
  return CHANGED;
}

/**
 * Ends a group that owns no volumes.
 * @throws MoverError GROUP_NOT_FOUND, CORRUPT; CHANGE_REFUSED with every reason
 */
export function retireGroup(
  state: SiteState,
  { group, dryRun }: { readonly group: GroupId; readonly dryRun: boolean },
  now: SiteMoment,
): Changed {
  const row = state.group(group);
  if (row.retired !== undefined) return SAME;
  const against = new Against(`Group "${group}" cannot be retired`);
  const members = state.memberCount(group);
  if (members > 0) against.add('GROUP_IN_USE', group, `group "${group}" owns ${members} volumes`);
  checkWays(state, group, now, against);
  against.refuse();
  if (dryRun) return CHANGED;
  freeExpiredRooms(state, group, `its lease ran out, and group "${group}" was retired`, now);
  state.groups.put(group, { ...row, retired: { atMs: now.wallMs } });
  return CHANGED;
}

/** Brings a retired group back: a volume was put into it by the estate file or by its splitter. */
export function reviveGroup(state: SiteState, group: GroupId): void {
  const known = state.groups.get(group);
  if (known?.retired === undefined) return;
  const { retired: _ended, ...row } = known;
  state.bringBack('appliance', row.appliance);
  state.groups.put(group, row);
}

/** Refuses while an attempt may bring volumes into the group, or back into it. */
function checkWays(state: SiteState, group: GroupId, now: SiteMoment, against: Against): void {
  for (const attempt of attemptsInTheWayOf(state, group, now.monotonicMs))
    against.add('VOLUME_BUSY', group, `attempt ${attempt} moves volumes to group "${group}"`);
  checkWaysBack(state, group, now, against);
}

function checkWaysBack(state: SiteState, group: GroupId, { ageMs }: SiteMoment, against: Against): void {
  for (const open of openWaysBack(state, ageMs, group)) {
    const [first] = open.contents.volumes;
    if (first !== undefined) against.add('STILL_REVERSIBLE', group, sentenceOf(first.volume, open));
  }
}

/** Whether a policy keeps points for a shorter time than the one before, in any of its periods. */
function isShorter(policy: RetentionPolicy, before: RetentionPolicy): boolean {
  return (['keepAllMs', 'hourlyMs', 'dailyMs', 'weeklyMs'] as const).some((period) => policy[period] < before[period]);
}

function checkPointsKept(group: GroupId, settings: GivenSettings, against: Against): void {
  const fault = pointsKeptFault(settings);
  if (fault !== undefined) against.add('INVALID_REQUEST', 'retention', `group "${group}" ${fault}`);
}

/** A policy with what is given changed. */
function changedPolicy(before: RetentionPolicy, given: RetentionChange = {}): RetentionPolicy {
  const { keepAllMs = before.keepAllMs, hourlyMs = before.hourlyMs, dailyMs = before.dailyMs } = given;
  const { weeklyMs = before.weeklyMs, journalBytesMax = before.journalBytesMax } = given;
  return { keepAllMs, hourlyMs, dailyMs, weeklyMs, journalBytesMax };
}
