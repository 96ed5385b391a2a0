// Turns a batch's input and the inventory into its moves and their order, and says what it leaves
// out and why. Pure: does no I/O.
import type { BatchItem, BatchLeftOut, BatchMove, BatchOptions } from '../../contracts/batch.js';
import { BATCH_FAILURES_SHOWN_MAX } from '../../contracts/batch.js';
import { VOLUMES_PER_MOVE_MAX } from '../../contracts/attempt.js';
import type { ErrorCode } from '../../contracts/errors.js';
import type { GroupId, VolumeId } from '../../contracts/ids.js';
import type { InventoryVolume } from '../../contracts/inventory.js';
import type { SiteGroup } from '../../contracts/replica-site-api.js';
import { compare } from './selection.js';

/** A requested move, before anything was looked up. */
export interface RequestedMove {
  readonly volumes: readonly VolumeId[];
  readonly to: GroupId;
  readonly from?: GroupId | undefined;
}

export interface DraftPlan {
  readonly items: readonly BatchItem[];
  readonly alreadyThere: number;
  readonly refused: number;
  /** The first volumes or moves left out. */
  readonly leftOut: readonly BatchLeftOut[];
}

export interface Estate {
  readonly volumes: ReadonlyMap<VolumeId, InventoryVolume>;
  readonly groups: ReadonlyMap<
    GroupId,
    Pick<SiteGroup, 'appliance' | 'volumesMax' | 'volumes' | 'reserved' | 'retired'>
  >;
}

export function requestedMoveOf({ volume, volumes, to, from }: BatchMove): RequestedMove {
  return { volumes: volumes ?? (volume === undefined ? [] : [volume]), to, from };
}

/**
 * Groups selected volumes into moves: a VM's disks in one group are one move (at most 64 disks), in
 * the order of the first disk. Volumes without a VM move alone.
 * @param targetOf undefined for a volume whose group has no target
 */
export function requestedMovesOf(
  selected: readonly InventoryVolume[],
  targetOf: (volume: InventoryVolume) => GroupId | undefined,
): { readonly moves: RequestedMove[]; readonly withoutTarget: InventoryVolume[] } {
  const together = new Map<string, { volumes: VolumeId[]; to: GroupId; from: GroupId }[]>();
  const moves: RequestedMove[] = [];
  const withoutTarget: InventoryVolume[] = [];
  for (const volume of selected) {
    const to = targetOf(volume);
    if (to === undefined) {
      withoutTarget.push(volume);
      continue;
    }
    const key = volume.vm === undefined ? undefined : JSON.stringify([volume.vm, volume.group]);
    const siblings = key === undefined ? undefined : together.get(key);
    const last = siblings?.at(-1);
    if (last !== undefined && last.volumes.length < VOLUMES_PER_MOVE_MAX) {
      last.volumes.push(volume.volume);
      continue;
    }
    const move = { volumes: [volume.volume], to, from: volume.group };
    moves.push(move);
    if (key !== undefined) together.set(key, [...(siblings ?? []), move]);
  }
  return { moves, withoutTarget };
}

/**
 * Drafts the plan. @param withoutTarget selected volumes in groups that the batch's map does not
 * contain
 */
export function draftPlan(
  requested: readonly RequestedMove[],
  withoutTarget: readonly InventoryVolume[],
  estate: Estate,
  order: BatchOptions['order'],
): DraftPlan {
  const leftOut: BatchLeftOut[] = [];
  let refused = 0;
  let alreadyThere = 0;
  const refuse = (volumes: readonly VolumeId[], to: GroupId | undefined, code: ErrorCode, message: string): void => {
    refused += 1;
    if (leftOut.length < BATCH_FAILURES_SHOWN_MAX)
      leftOut.push({
        volumes: [...volumes],
        ...placeOf(volumes.flatMap((volume) => estate.volumes.get(volume) ?? [])),
        ...(to === undefined ? {} : { to }),
        code,
        message,
      });
  };
  for (const { volume, group } of withoutTarget)
    refuse(
      [volume],
      undefined,
      'GROUP_NOT_FOUND',
      `volume "${volume}" is in group "${group}", for which "map" names no target`,
    );
  const drafts: Draft[] = [];
  const named = new Set<VolumeId>();
  for (const move of requested) {
    const draft = draftMove(move, estate, named);
    for (const volume of move.volumes) named.add(volume);
    if (draft === 'there') alreadyThere += 1;
    else if ('code' in draft) refuse(move.volumes, move.to, draft.code, draft.message);
    else drafts.push(draft);
  }
  const rooms = new Map(
    [...estate.groups].map(([id, { volumesMax, volumes, reserved }]) => [id, volumesMax - volumes - reserved]),
  );
  const items: BatchItem[] = [];
  for (const draft of ordered(drafts, order)) {
    const { volumes, from, to } = draft.item;
    const room = rooms.get(to) ?? 0;
    if (room < volumes.length) {
      refuse(
        volumes,
        to,
        'GROUP_FULL',
        `group "${to}" has room for ${Math.max(0, room)} more, and this move brings ${volumes.length}`,
      );
      continue;
    }
    rooms.set(to, room - volumes.length);
    rooms.set(from, (rooms.get(from) ?? 0) + volumes.length);
    items.push({ ...draft.item, seq: items.length });
  }
  return { items, alreadyThere, refused, leftOut };
}

/** Where volumes are and how large they are together; nothing of volumes that don't exist. */
function placeOf(volumes: readonly InventoryVolume[]): Pick<BatchLeftOut, 'from' | 'sizeBytes'> {
  const [first] = volumes;
  if (first === undefined) return {};
  return { from: first.group, sizeBytes: volumes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

interface Draft {
  readonly item: Omit<BatchItem, 'seq'>;
  readonly labels: InventoryVolume['labels'];
}

type Refusal = { readonly code: ErrorCode; readonly message: string };

function draftMove(
  { volumes, to, from }: RequestedMove,
  estate: Estate,
  named: ReadonlySet<VolumeId>,
): Draft | Refusal | 'there' {
  const twice = volumes.find((volume, i) => named.has(volume) || volumes.indexOf(volume) !== i);
  if (twice !== undefined) return { code: 'INVALID_REQUEST', message: `volume "${twice}" is named more than once` };
  const target = estate.groups.get(to);
  if (target === undefined) return { code: 'GROUP_NOT_FOUND', message: `there is no consistency group "${to}"` };
  if (target.retired !== undefined) return { code: 'GROUP_RETIRED', message: `group "${to}" is retired` };
  const missing = volumes.find((volume) => !estate.volumes.has(volume));
  if (missing !== undefined) return { code: 'VOLUME_NOT_FOUND', message: `there is no volume "${missing}"` };
  const found = volumes.flatMap((volume) => estate.volumes.get(volume) ?? []);
  const moving = found.filter(({ group }) => group !== to);
  const [first, ...others] = moving;
  if (first === undefined) return 'there';
  const inOtherGroup = others.find(({ group }) => group !== first.group);
  if (inOtherGroup !== undefined)
    return {
      code: 'INVALID_REQUEST',
      message: `the volumes are in several groups ("${first.group}", "${inOtherGroup.group}"); one move takes volumes of one group only`,
    };
  if (from !== undefined && !estate.groups.has(from))
    return { code: 'GROUP_NOT_FOUND', message: `there is no consistency group "${from}"` };
  if (from !== undefined && first.group !== from)
    return { code: 'NOT_OWNER', message: `volume "${first.volume}" is in group "${first.group}", not "${from}"` };
  return {
    item: {
      volumes: moving.map(({ volume }) => volume),
      from: first.group,
      to,
      sizeBytes: moving.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      appliances: [...new Set([first.appliance, target.appliance])],
    },
    labels: first.labels,
  };
}

/** Sorts the moves. Equal ones keep the requested order. */
function ordered(drafts: readonly Draft[], order: BatchOptions['order']): readonly Draft[] {
  if (order === 'listed') return drafts;
  if (order === 'smallest-first') return drafts.toSorted((a, b) => a.item.sizeBytes - b.item.sizeBytes);
  const { byLabel } = order;
  return drafts.toSorted((a, b) => compareLabels(a.labels?.[byLabel], b.labels?.[byLabel]));
}

/** Compares labels: numbers by value, before texts by code points; a missing label is last. */
function compareLabels(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  const isNumber = (text: string): boolean => /^-?\d+(\.\d+)?$/.test(text);
  if (isNumber(a) && isNumber(b)) return Number(a) - Number(b);
  if (isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1;
  return compare(a, b);
}
