// Volumes and groups: what there is, and what a person orders when something was lost.
import type { Estate } from '../../contracts/estate.js';
import type { VolumeId } from '../../contracts/ids.js';
import type { Rebuilt } from '../../contracts/repair.js';
import type { SplitterVolume } from '../../contracts/splitter-api.js';
import type { Ports } from '../../control/ports.js';
import { type ListedGroup, listGroups, type ListedVolume, listVolumes, type VolumeFilter } from './inventory.js';
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

export interface VolumeClient {
  /**
   * What the splitter says of a volume, whatever the replica site knows.
   * @throws VOLUME_NOT_FOUND
   */
  splitterView(volume: VolumeId): Promise<SplitterVolume>;
  /**
   * All volumes, or those for which everything given is true.
   * @throws INVALID_REQUEST for a label that no volume can have
   */
  list(filter?: VolumeFilter): Promise<ListedVolume[]>;
  /**
   * Has a volume compared with its replica and what differs sent again, or given ranges sent
   * whatever the replica has. Repeated, it does no harm.
   * @throws INVALID_REQUEST, VOLUME_NOT_FOUND, VOLUME_BUSY, SOURCE_UNPROVEN, SOURCE_MISSING,
   * FOREIGN_SOURCE
   */
  resync(order: ResyncOrder): Promise<SplitterVolume>;
  /**
   * Has a volume's history at the replica site made usable again; the splitter then compares the
   * volume by itself. @throws INVALID_REQUEST, VOLUME_NOT_FOUND, CORRUPT
   */
  rebuild(order: RebuildOrder): Promise<Rebuilt>;
  /**
   * Decides for a volume whose disk is missing or foreign. A recovery is answered once it has
   * begun.
   * @throws INVALID_REQUEST, VOLUME_NOT_FOUND, SOURCE_PRESENT, SOURCE_DECISION_REFUSED,
   * VOLUME_BUSY,
   *   POINT_NOT_FOUND, POINT_UNAVAILABLE
   */
  decideSource(order: SourceOrder): Promise<SplitterVolume>;
}

export interface GroupClient {
  list(): Promise<ListedGroup[]>;
}

/** @param patient for repairs: a recovery point may take a while to open, a journal to be read */
export function createVolumeClient(ports: Ports, patient: Ports, estate: Estate): VolumeClient {
  const repairs: RepairsOptions = { ports: patient, estate };
  return {
    splitterView: (volume) => splitterView(repairs, volume),
    list: (filter) => listVolumes(ports, filter),
    resync: (order) => resync(repairs, order),
    rebuild: (order) => rebuild(repairs, order),
    decideSource: (order) => decideSource(repairs, order),
  };
}

export function createGroupClient(ports: Ports): GroupClient {
  return { list: () => listGroups(ports) };
}
