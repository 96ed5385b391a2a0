// The SDK's client for volumes and groups: lists them, changes them while everything runs, and
// orders repairs.
import { MoverError } from '../../contracts/errors.js';
import type { Estate } from '../../contracts/estate.js';
import type { GroupId, VolumeId } from '../../contracts/ids.js';
import { placementOf } from '../../contracts/protect.js';
import type { Changed } from '../../contracts/lifecycle.js';
import type { Rebuilt } from '../../contracts/repair.js';
import type { SplitterVolume } from '../../contracts/splitter-api.js';
import type { Ports } from '../../control/ports.js';
import { type ListedGroup, listGroups, type ListedVolume, listVolumes, type VolumeFilter } from './inventory.js';
import {
  addGroup,
  type AddGroupOrder,
  addVolume,
  type AddVolumeOrder,
  forgetVolume,
  type ForgetVolumeOrder,
  growVolume,
  type GrowVolumeOrder,
  retireGroup,
  type RetireGroupOrder,
  retireVolume,
  type RetireVolumeOrder,
  setGroup,
  type SetGroupOrder,
  setVolume,
  type SetVolumeOrder,
} from './lifecycle.js';
import {
  decideSource,
  rebuild,
  type RebuildOrder,
  type RepairsOptions,
  resync,
  type ResyncOrder,
  type SourceOrder,
  splitterView,
} from './repairs.js';

export type NewVolumeOrder = Omit<AddVolumeOrder, 'group'> & {
  /** Default: what the rules of `protect` in the estate say of its labels. */
  readonly group?: GroupId | undefined;
};

export interface Placed extends Changed {
  /** The group that was given, or that the rules found. */
  readonly group: GroupId;
}

export interface VolumeClient {
  /**
   * The splitter's view of a volume, even if the replica site does not know it.
   * @throws VOLUME_NOT_FOUND
   */
  splitterView(volume: VolumeId): Promise<SplitterVolume>;
  /**
   * All volumes, or those that match the whole filter.
   * @throws INVALID_REQUEST for a label that no volume can have
   */
  list(filter?: VolumeFilter): Promise<ListedVolume[]>;
  /**
   * Compares a volume with its replica and resends differences, or resends given ranges without
   * comparing. Safe to repeat.
   * @throws INVALID_REQUEST, VOLUME_NOT_FOUND, VOLUME_BUSY, SOURCE_UNPROVEN, SOURCE_MISSING,
   * FOREIGN_SOURCE
   */
  resync(order: ResyncOrder): Promise<SplitterVolume>;
  /**
   * Makes a volume's history at the replica site usable again. The splitter then compares the
   * volume.
   * @throws INVALID_REQUEST, VOLUME_NOT_FOUND, CORRUPT
   */
  rebuild(order: RebuildOrder): Promise<Rebuilt>;
  /**
   * Decides about a volume whose disk is missing, foreign or unproven. A recovery is answered once
   * it has started.
   * @throws INVALID_REQUEST, VOLUME_NOT_FOUND, SOURCE_PRESENT, SOURCE_DECISION_REFUSED,
   * VOLUME_BUSY, POINT_NOT_FOUND, POINT_UNAVAILABLE
   */
  decideSource(order: SourceOrder): Promise<SplitterVolume>;
  /**
   * Adds a volume while everything runs. Its splitter serves and protects it at once. Without a
   * group, the rules of `protect` in the estate find it by the labels. Safe to repeat.
   * @throws CHANGE_REFUSED with every reason; CHANGE_UNFINISHED
   */
  add(order: NewVolumeOrder): Promise<Placed>;
  /**
   * Changes the VM and the labels that are given. Safe to repeat.
   * @throws VOLUME_NOT_FOUND; CHANGE_REFUSED with every reason
   */
  set(order: SetVolumeOrder): Promise<Changed>;
  /**
   * Makes a volume larger while guests write; they see the new size at their next connection. Safe
   * to repeat.
   * @throws VOLUME_NOT_FOUND; CHANGE_REFUSED with every reason; CHANGE_UNFINISHED
   */
  grow(order: GrowVolumeOrder): Promise<Changed>;
  /**
   * Ends a volume's replication. Its recovery points and its disk stay. Safe to repeat.
   * @throws VOLUME_NOT_FOUND; CHANGE_REFUSED with every reason; CHANGE_UNFINISHED
   */
  retire(order: RetireVolumeOrder): Promise<Changed>;
  /**
   * Removes all that is left of a retired volume, but its disk. Its name is free then. Safe to
   * repeat.
   * @throws INVALID_REQUEST unless `confirm` is the volume's name; CHANGE_REFUSED with every
   * reason; CHANGE_UNFINISHED
   */
  forget(order: ForgetVolumeOrder): Promise<Changed>;
}

export interface GroupClient {
  list(): Promise<ListedGroup[]>;
  /** Adds a group, or brings a retired one back. Safe to repeat. @throws CHANGE_REFUSED */
  add(order: AddGroupOrder): Promise<Changed>;
  /** Changes settings of a group. Safe to repeat. @throws GROUP_NOT_FOUND, CHANGE_REFUSED */
  set(order: SetGroupOrder): Promise<Changed>;
  /** Ends a group that owns no volumes. Safe to repeat. @throws GROUP_NOT_FOUND, CHANGE_REFUSED */
  retire(order: RetireGroupOrder): Promise<Changed>;
}

/**
 * @param patient ports with a long time limit, for repairs: opening a recovery point or reading a
 * journal may take a while
 */
export function createVolumeClient(ports: Ports, patient: Ports, estate: Estate): VolumeClient {
  const repairs: RepairsOptions = { ports: patient, estate };
  return {
    splitterView: (volume) => splitterView(repairs, volume),
    list: (filter) => listVolumes(ports, filter),
    resync: (order) => resync(repairs, order),
    rebuild: (order) => rebuild(repairs, order),
    decideSource: (order) => decideSource(repairs, order),
    add: async (order) => {
      const group = order.group ?? groupByRules(estate, order);
      return { ...(await addVolume(ports, { ...order, group })), group };
    },
    set: (order) => setVolume(ports, order),
    grow: (order) => growVolume(ports, order),
    retire: (order) => retireVolume(ports, order),
    forget: (order) => forgetVolume(patient, order),
  };
}

/** @throws MoverError CHANGE_REFUSED unless the rules name one group */
function groupByRules({ protect }: Estate, { volume, labels }: NewVolumeOrder): GroupId {
  const placement = placementOf(protect, labels);
  if ('group' in placement) return placement.group;
  const message = `it ${placement.refusal}`;
  throw new MoverError('CHANGE_REFUSED', `Volume "${volume}" cannot be added: ${message}.`, {
    reasons: [{ code: 'INVALID_REQUEST', subject: 'group', message }],
  });
}

export function createGroupClient(ports: Ports): GroupClient {
  return {
    list: () => listGroups(ports),
    add: (order) => addGroup(ports, order),
    set: (order) => setGroup(ports, order),
    retire: (order) => retireGroup(ports, order),
  };
}
