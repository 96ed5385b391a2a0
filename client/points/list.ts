// Lists the recovery points of a group or a volume, with holes and owners.
import { anyAppliance, type Ports } from '../../control/ports.js';
import { findGroup, findVolume } from '../../control/site-lookup.js';
import { MoverError } from '../../contracts/errors.js';
import { type GroupId, groupIdSchema, type VolumeId, volumeIdSchema } from '../../contracts/ids.js';
import type { DamagedMember, Hole, Ownership, RecoveryPoint } from '../../contracts/point.js';

/** Points of a group, or of all groups that contain a volume. */
export type PointOwner = { readonly group: GroupId } | { readonly volume: VolumeId };

export interface ListedPoints {
  /** Oldest first. */
  readonly points: RecoveryPoint[];
  /**
   * Spans of the volume of which only the end state can be recovered. Empty for a group:
   * `listHistory` adds those of its volumes.
   */
  readonly holes: Hole[];
  /** A volume's owners, or a group's volumes, over time. Oldest first. */
  readonly owners: Ownership[];
  /** Members of points that can't be opened, or only in part, because stored data is damaged. */
  readonly damaged?: readonly DamagedMember[] | undefined;
}

/** Lists points. @throws MoverError GROUP_NOT_FOUND, VOLUME_NOT_FOUND, UNREACHABLE */
export async function listPoints(ports: Ports, owner: PointOwner): Promise<ListedPoints> {
  const points: RecoveryPoint[] = [];
  const holes: Hole[] = [];
  const owners: Ownership[] = [];
  const damaged: DamagedMember[] = [];
  let cursor: string | undefined;
  do {
    const page = { ...owner, ...(cursor === undefined ? {} : { cursor }) };
    const answer = await anyAppliance(ports, ({ calls }) => calls.listPoints(page));
    points.push(...answer.points);
    damaged.push(...(answer.damaged ?? []));
    // Each page repeats the holes and the owners.
    if (cursor === undefined) {
      holes.push(...answer.holes);
      owners.push(...answer.owners);
    }
    cursor = answer.next;
  } while (cursor !== undefined);
  return { points, holes, owners, damaged };
}

/**
 * Resolves a name to a group or a volume; a group if both exist.
 * @throws MoverError VOLUME_NOT_FOUND when it is neither; UNREACHABLE
 */
export async function ownerNamed(ports: Ports, name: string): Promise<PointOwner> {
  const { data: group } = groupIdSchema.safeParse(name);
  if (group !== undefined && (await findGroup(ports, group)) !== undefined) return { group };
  const { data: volume } = volumeIdSchema.safeParse(name);
  if (volume !== undefined && (await findVolume(ports, volume)) !== undefined) return { volume };
  throw new MoverError('VOLUME_NOT_FOUND', `There is neither a group nor a volume "${name}".`);
}
